"""Compares permessage-deflate with that of the Python library `websockets`, which uses zlib.

`README.md` beside this file says how it is run."""

import random
import subprocess
import sys

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

# How many connections are compared.
CONNECTIONS = 400


def text(source, length):
    words = [f"word{source.randrange(300)} " for _ in range(length // 7 + 1)]
    return "".join(words)[:length]


def events(source):
    """Some messages and pings, as (name, payload)."""
    result = []
    for _ in range(source.randrange(1, 8)):
        length = source.choice([0, 1, 20, 200, 2000, 40_000, 100_000])
        kind = source.randrange(6)
        if kind < 3:
            result.append(("text", text(source, length).encode()))
        elif kind < 5:
            noise = source.randbytes(length) if kind == 4 else bytes(length)
            result.append(("binary", noise))
        else:
            result.append(("ping", source.randbytes(length % 126)))
    return result


def extension(takeover, bits):
    settings = {"level": 6} if bits == 15 else None
    # It cannot compress with a window of 8 bits.
    return PerMessageDeflate(not takeover, not takeover, bits, max(bits, 9), settings)


def encode(source, events, to_server, takeover, bits):
    """The frames of `websockets`, some messages in several."""
    deflate, stream = extension(takeover, bits), b""
    opcodes = {"text": Opcode.TEXT, "binary": Opcode.BINARY, "ping": Opcode.PING}
    for name, payload in events:
        fragments = [payload]
        if name != "ping" and source.randrange(3) == 0:
            cut = source.randrange(len(payload) + 1)
            fragments = [payload[:cut], payload[cut:]]
        for index, fragment in enumerate(fragments):
            opcode = Opcode.CONT if index else opcodes[name]
            frame = Frame(opcode, fragment, fin=index + 1 == len(fragments))
            stream += frame.serialize(mask=to_server, extensions=[deflate])
    return stream


def decode(stream, masked, takeover, bits):
    """What `websockets` reads in frames."""
    deflate, result, place = extension(takeover, bits), [], 0
    names = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PING: "ping"}

    def read_exact(count):
        nonlocal place
        place += count
        return stream[place - count : place]
        yield

    while place < len(stream):
        parser = Frame.parse(read_exact, mask=masked, max_size=None, extensions=[deflate])
        try:
            next(parser)
            raise AssertionError("it waits for more")
        except StopIteration as end:
            frame = end.value
        assert frame.fin
        result.append((names[frame.opcode], bytes(frame.data)))
    return result


def show(events):
    return " ".join(f"{name}:{payload.hex()}" for name, payload in events)


def main():
    squall = subprocess.Popen(
        [sys.argv[1], "websocket-filter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(*words):
        squall.stdin.write(" ".join(words) + "\n")
        squall.stdin.flush()
        return squall.stdout.readline().strip()

    source = random.Random(7)
    sent = 0
    for number in range(CONNECTIONS):
        side, takeover = source.choice(["server", "client"]), source.choice([True, False])
        # Its compressor has no window of 8 bits, but its decompressor has.
        bits = source.randrange(9, 16)
        mode = "takeover" if takeover else "reset"
        expected = events(source)
        stream = encode(source, expected, side == "server", takeover, bits)
        cuts = sorted(source.randrange(len(stream) + 1) for _ in range(source.randrange(5)))
        ends = zip([0, *cuts], [*cuts, len(stream)])
        pieces = [stream[start:end].hex() for start, end in ends if start < end]
        read = ask("decode", side, mode, str(bits), *pieces)
        assert read == show(expected), f"connection {number}: we read something else"

        bits = source.randrange(8, 16)
        stream = bytes.fromhex(ask("encode", side, mode, str(bits), *show(expected).split(" ")))
        read = decode(stream, side == "server", takeover, bits)
        assert read == expected, f"connection {number}: websockets reads something else"
        sent += len(expected)
    squall.stdin.close()
    squall.wait()
    print(f"{sent} messages on {CONNECTIONS} connections with permessage-deflate, beside websockets: the same")


main()
