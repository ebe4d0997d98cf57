"""Gives the same bytes to Squall and to other readers of HTTP, and prints where they disagree.

`README.md` beside this file says how it is run, and what is made of it."""

import collections
import concurrent.futures
import http.client
import io
import itertools
import re
import socket
import subprocess
import sys
import threading
import time

import h11

import cases

# Seconds for one connection: a server that is silent so long waits for more.
PATIENCE = 2.0
READERS = ["hyper", "tiny_http", "node", "h11"]
# The statuses that mean that the request was read.
READ = {200, 204, 404, 405}
# What the bytes hold -> why we accept what others refuse. `README.md` says more.
WHY = [
    (rb"^(\r\n)+", "blank lines before a request"),
    (rb"^[^\r\n]* HTTP/1\.[2-9]\r\n", "later minor version"),
    (rb"^[^\r\n]* HTTP/1\.0\r\n", "kept connection of HTTP/1.0"),
    (rb"^CONNECT ", "CONNECT is answered"),
    (rb"(?i)\r\nContent-Length:[ \t]*\d+(,[ \t]*\d+)+[ \t]*\r\n", "equal lengths"),
    (rb"(?i)\r\nContent-Length:[ \t]*\d+\r\nContent-Length:", "equal lengths"),
    (rb"(?i)\r\nContent-Length:[ \t]*0{2,}\d+\r\n", "zeros before a length"),
    (rb"(?i)\r\n(Content-Length|Transfer-Encoding):[^\r\n]*\t", "tabs around values"),
    (rb"\r\n[0-9a-fA-F]+;", "chunk extensions"),
    (rb"\r\n\r\n0+\r\n[^\r\n]+:", "trailers"),
    (rb"^(GET|HEAD) [^\r]*\r\n(.*\r\n)?Content-Length:", "body with any method"),
    (rb"(?is)^GET .*\r\nExpect: 100-continue", "expectation without a body"),
    (rb"(?i)\r\nConnection:[^\r\n]*close", "bytes behind the last request"),
    (rb"^[^\r\n]*[<>\"]", "unusual bytes in a target"),
    (rb"(?s)^.*?\r\n.*?[\x80-\xff].*?\r\n\r\n", "bytes from 0x80 in a value"),
]
# Node answers methods that it does not know with 400, and we with 405.
METHODS = b"GET HEAD POST PUT DELETE OPTIONS TRACE PATCH".split()
CLASSES = ["read alike", "refused by both", "we refuse, they accept", "we accept, they refuse", "READ DIFFERENTLY"]


class Outcome(collections.namedtuple("Outcome", "requests end")):
    """The requests that were read, and why no more: a status, `closed` or `silent`."""

    def first_is_read(self):
        return bool(self.requests)


class Server:
    """A server in a process of its own, started again if it dies."""

    def __init__(self, command):
        self.command = command
        self.lock = threading.Lock()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline())

    def connect(self):
        """A connection; to a new process if the old one is gone."""
        with self.lock:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            except ConnectionRefusedError:
                self.stop()
                self.start()
                return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def may_be_dead(self):
        """Whether it may have died of an earlier connection, rather than refused this one."""
        if self.command[-1] != "tiny_http":
            return False
        time.sleep(0.02)
        return True

    def stop(self):
        self.process.kill()
        self.process.wait()


def exchange(server, data):
    with server.connect() as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
            end = "closed"
        except TimeoutError:
            end = "silent"
        except OSError:
            end = "closed"
    return received, end


def outcome(server, data):
    received, end = exchange(server, data)
    if not received and server.may_be_dead():
        received, end = exchange(server, data)
    requests = []
    rest = received
    while rest:
        # A response that ends with the connection, as HTTP/0.9 would be, is none to us.
        found = re.match(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n(.*?)\r\n\r\n", rest + b"\r\n\r\n", re.S)
        if not found:
            break
        status, fields = int(found[1]), found[2].decode("latin-1")
        rest = rest[found.end():]
        if status < 200:
            continue
        if status not in READ:
            return Outcome(tuple(requests), str(status))
        head_only = status == 204
        chunked = re.search(r"(?im)^transfer-encoding:\s*chunked", fields)
        length = re.search(r"(?im)^content-length:\s*(\d+)", fields)
        if head_only:
            body = b""
        elif chunked:
            reader = http.client.HTTPResponse(_Socket(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest))
            reader.begin()
            body = reader.read()
            rest = reader.fp.read() if reader.fp else rest.partition(b"0\r\n\r\n")[2]
        else:
            count = int(length[1]) if length else len(rest)
            # The answer to HEAD has no body: what follows it is the next response, or nothing.
            if rest.startswith(b"HTTP/1.1 ") or not rest:
                count = 0
            body, rest = rest[:count], rest[count:]
        requests.append(body.decode("latin-1") if status == 200 else str(status))
    return Outcome(tuple(requests), end)


class _Socket(io.BytesIO):
    def makefile(self, *_):
        return self


def by_h11(_, data):
    connection = h11.Connection(h11.SERVER)
    requests, request, body = [], None, b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            match event:
                case h11.Request():
                    request, body = event, b""
                case h11.Data():
                    body += bytes(event.data)
                case h11.EndOfMessage():
                    target = request.target.decode("latin-1")
                    target = re.sub(r"^https?://[^/]*", "", target) or "/"
                    requests.append(f"{request.method.decode()} {target} {body.hex()}")
                    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    connection.send(h11.EndOfMessage())
                    if connection.our_state is h11.MUST_CLOSE or connection.their_state is h11.MUST_CLOSE:
                        return Outcome(tuple(requests), "closed")
                    connection.start_next_cycle()
                case h11.ConnectionClosed() | h11.NEED_DATA | h11.PAUSED:
                    return Outcome(tuple(requests), "closed")
    except h11.RemoteProtocolError as error:
        return Outcome(tuple(requests), str(error.error_status_hint))
    except h11.LocalProtocolError:
        return Outcome(tuple(requests), "closed")


def normal(line):
    """Of a request: what all readers show alike. The target of an absolute form is its path."""
    if line.isdigit():
        return line
    method, _, rest = line.partition(" ")
    target, _, body = rest.rpartition(" ")
    return method, re.sub(r"^https?://[^/]*", "", target, flags=re.I) or "/", body


def compare(ours, theirs):
    if ours.end.isdigit() and theirs.end.isdigit() and not theirs.first_is_read():
        # Bytes that arrive together: some say nothing of a request before one that is none.
        return CLASSES[1]
    if not ours.first_is_read():
        return CLASSES[2] if theirs.first_is_read() else CLASSES[1]
    if not theirs.first_is_read():
        return CLASSES[3]
    # Of requests that only one of them still answers, more is not known; the rest must agree.
    for our, their in zip(map(normal, ours.requests), map(normal, theirs.requests)):
        # The answer to HEAD says nothing.
        if str in (type(our), type(their)) or "" in (our[0], their[0]):
            continue
        if our[0] != their[0] or our[2] != their[2]:
            return CLASSES[4]
    if len(ours.requests) != len(theirs.requests):
        return CLASSES[2] if len(ours.requests) < len(theirs.requests) else CLASSES[3]
    return CLASSES[0]


def main(servers):
    commands = {name: [servers, name] for name in ["squall", "hyper", "tiny_http"]}
    commands["node"] = ["node", __file__.replace("compare.py", "node.js")]
    running = {name: Server(command) for name, command in commands.items()}
    try:
        readers = {name: (outcome, server) for name, server in running.items()}
        readers["h11"] = (by_h11, None)
        all_cases = cases.cases()
        # Each reader by itself, one request after the other: some die of what they are sent.
        def read_all(reader):
            read, server = readers[reader]
            return reader, [read(server, data) for _, data in all_cases]

        with concurrent.futures.ThreadPoolExecutor(len(readers)) as pool:
            found = dict(pool.map(read_all, readers))
    finally:
        for server in running.values():
            server.stop()
    return report(all_cases, found)


def report(all_cases, found):
    counts = {reader: collections.Counter() for reader in READERS}
    rows = []
    for index, (name, _) in enumerate(all_cases):
        ours = found["squall"][index]
        verdicts = {reader: compare(ours, found[reader][index]) for reader in READERS}
        for reader, verdict in verdicts.items():
            counts[reader][verdict] += 1
        if any(verdict in CLASSES[3:] for verdict in verdicts.values()):
            rows.append((why(all_cases[index][1], ours), name, ours, verdicts, index))
    print(f"{len(all_cases)} requests\n")
    print("| |" + "".join(f" {reader} |" for reader in READERS) + "\n" + "|---" * (len(READERS) + 1) + "|")
    for verdict in CLASSES:
        print(f"| {verdict} |" + "".join(f" {counts[reader][verdict]} |" for reader in READERS))
    print("\nWhere we accept what they refuse, or read it differently:")
    rows.sort(key=lambda row: row[0])
    for reason, group in itertools.groupby(rows, key=lambda row: row[0]):
        print(f"\n== {reason}")
        for _, name, ours, verdicts, index in group:
            print(f"{name}\n    {show(ours)}  squall")
            for reader, verdict in verdicts.items():
                if verdict in CLASSES[3:]:
                    print(f"    {show(found[reader][index])}  {reader}: {verdict}")
    unexplained = sum(row[0] == UNEXPLAINED for row in rows)
    print(f"\n{len(rows)} in all, {unexplained} of them not explained")
    return unexplained


UNEXPLAINED = "NOT EXPLAINED"


def why(data, ours):
    for pattern, reason in WHY:
        if re.search(pattern, data):
            return reason
    if data.lstrip(b"\r\n").split(b" ")[0] not in METHODS or "405" in ours.requests:
        return "unknown method"
    return UNEXPLAINED


def show(outcome):
    lines = [line[:60] for line in outcome.requests]
    return f"{lines} then {outcome.end}"


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1]), 1))
