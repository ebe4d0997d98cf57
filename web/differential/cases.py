"""The requests that are compared: tricks by which one reader of HTTP was led to read something
else than another, and what becomes of them by small changes."""

import random

SEED = 7
MUTANTS = 400
FOLLOWER = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"


def request(line="POST /first HTTP/1.1", fields=(), body=b"", host=True):
    lines = [line] + (["Host: a"] if host else []) + list(fields)
    return b"".join(_bytes(line) + b"\r\n" for line in lines) + b"\r\n" + body


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def tricks():
    """Name of the trick -> the bytes."""
    found = {}

    def add(group, name, data):
        found[f"{group}: {name}"] = data + FOLLOWER

    CHUNKED, HELLO = "Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"
    add("plain", "GET", request("GET /first HTTP/1.1"))
    add("plain", "length", request(fields=["Content-Length: 5"], body=b"hello"))
    add("plain", "chunks", request(fields=[CHUNKED], body=HELLO))
    add("plain", "kept 1.0", request("GET /first HTTP/1.0", ["Connection: keep-alive"]))

    for value in ["+5", "-5", "5 ", " 5", "0x5", "5;", "5.0", "05", "00000000000000000000005",
                  "5, 5", "5,5", "5, 6", "5,", ",5", "", " ", "5 5", "5\t", "\t5", "5\x0b", "\xa05",
                  "18446744073709551616", "18446744073709551621", "9223372036854775808", "1e1", "五"]:
        data = value.encode() if value == "五" else value
        add("length", repr(value), request(fields=[b"Content-Length: " + _bytes(data)], body=b"hello"))
    add("length", "twice, equal", request(fields=["Content-Length: 5"] * 2, body=b"hello"))
    add("length", "twice, different", request(fields=["Content-Length: 5", "Content-Length: 6"], body=b"hello"))
    add("length", "with GET", request("GET /first HTTP/1.1", ["Content-Length: 5"], b"hello"))
    add("length", "with HEAD", request("HEAD /first HTTP/1.1", ["Content-Length: 5"], b"hello"))

    for value in ["Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked", "chunked\t", "chunked,",
                  ",chunked", ", chunked", "chunked, chunked", "chunked, identity", "identity, chunked",
                  "identity", "gzip, chunked", "gzip", "chunked, gzip", "xchunked", "chunkedx", "chunk",
                  '"chunked"', "chunked;a=b", "chunked;", "x chunked", "chunked x", "\x0bchunked", "\x00chunked",
                  "chunked\x00", "", "cow", "trailers, chunked", "chunked\xa0", "'chunked'", "chun ked"]:
        add("coding", repr(value), request(fields=["Transfer-Encoding: " + value], body=HELLO))
        if value.strip() in ("", "cow", "identity", "xchunked", "Chunked", "chunked"):
            add("coding and length", repr(value), request(
                fields=["Transfer-Encoding: " + value, "Content-Length: 15"], body=HELLO))
    add("coding", "twice", request(fields=[CHUNKED] * 2, body=HELLO))
    add("coding", "chunked, then identity", request(fields=[CHUNKED, "Transfer-Encoding: identity"], body=HELLO))
    add("coding", "under 1.0", request("POST /first HTTP/1.0", [CHUNKED, "Connection: keep-alive"], HELLO))
    add("coding and length", "CL.TE", request(fields=["Content-Length: 6", CHUNKED], body=b"0\r\n\r\nG"))
    add("coding and length", "TE.CL", request(fields=[CHUNKED, "Content-Length: 4"], body=HELLO))
    for field in ["Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding\t: chunked",
                  "Transfer_Encoding: chunked", "Transfer-Encoding\x00: chunked", "Transfer-Encoding:\r\n chunked",
                  "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding\r\n: chunked",
                  "Transfer-Encoding:chunked", "transfer-encoding: chunked", "Transfer-Encoding: chunked\r",
                  "Transfer-Encoding;: chunked", "Transfer-Encoding chunked", "Content-Encoding: chunked"]:
        add("hidden coding", repr(field), request(fields=[field], body=HELLO))
        add("hidden coding, length", repr(field), request(fields=[field, "Content-Length: 15"], body=HELLO))
    for field in ["Content-Length : 5", "Content-Length\t: 5", "Content_Length: 5", "Content-Length:5",
                  "Content-Length:\r\n 5", "Content-Length\x00: 5", "X: y\nContent-Length: 5", "X: y\rContent-Length: 5",
                  " Content-Length: 5", "Content-Length 5"]:
        add("hidden length", repr(field), request(fields=[field], body=b"hello"))

    for body in [b"5;a\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b'5;a="b;c"\r\nhello\r\n0\r\n\r\n',
                 b"5;\r\nhello\r\n0\r\n\r\n", b"5 ;a\r\nhello\r\n0\r\n\r\n", b"5; a = b\r\nhello\r\n0\r\n\r\n", b"5;a\nhello\r\n0\r\n\r\n",
                 b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n", b"5;\xff\r\nhello\r\n0\r\n\r\n",
                 b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n", b"5;a\r\n\r\nhello\r\n0\r\n\r\n",
                 b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
                 b"0x5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
                 b"5\r\nhello0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\n",
                 b"5\r\nhello\r\n00\r\n\r\n", b"005\r\nhello\r\n0\r\n\r\n", b"0000000000000005\r\nhello\r\n0\r\n\r\n",
                 b"00000000000000005\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n",
                 b"\r\nhello\r\n0\r\n\r\n", b";a\r\nhello\r\n0\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n",
                 b"5_0\r\nhello\r\n0\r\n\r\n", b"5,5\r\nhello\r\n0\r\n\r\n", b"5\t\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
                 b"5\r\nhello\r\n\r\n0\r\n\r\n", b"5\r\nhello\r\n 0\r\n\r\n", b"5\r\nhel\r\n0\r\n\r\n", b"0\r\n", b"ffffffffffffffff\r\nhello"]:
        add("chunk", repr(body[:40])[1:], request(fields=[CHUNKED], body=body))
    for trailer in [b"A: b", b"A:", b"A : b", b" A: b", b": b", b"A", b"A: b\nC: d", b"A: b\r\n c", b"A: \x00",
                    b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: b", b"A: \xff", b"\x00: b"]:
        add("trailer", repr(trailer)[1:], request(fields=[CHUNKED], body=b"0\r\n" + trailer + b"\r\n\r\n"))

    for line in ["GET  /first HTTP/1.1", "GET /first  HTTP/1.1", "GET\t/first HTTP/1.1", "GET /first\tHTTP/1.1",
                 " GET /first HTTP/1.1", "GET /first HTTP/1.1 ", "GET /first", "GET /first HTTP/1.10", "GET /first HTTP/1.01",
                 "GET /first HTTP/11", "GET /first HTTP/1", "GET /first http/1.1", "GET /first HTTP/1.2", "GET /first HTTP/1.9",
                 "GET /first HTTP/2.0", "GET /first HTTP/0.9", "GET /first HTTP/3.0", "GET /first HTTP /1.1", "GET /first HTTP/1.1\x00",
                 "GET /fir st HTTP/1.1", "GET /first\x00 HTTP/1.1", "GET /first\x7f HTTP/1.1", "GET /\xff HTTP/1.1", "GET /first#a HTTP/1.1",
                 "GET first HTTP/1.1", "GET ?first HTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http://a/first HTTP/1.1",
                 "GET http://b/first HTTP/1.1", "GET http:///first HTTP/1.1", "GET ftp://a/first HTTP/1.1", "GET http://u@a/first HTTP/1.1",
                 "GET HTTP://A/first HTTP/1.1", "GET http://a:b/first HTTP/1.1", "GET //first HTTP/1.1", "GET /./first HTTP/1.1",
                 "GET /%zz HTTP/1.1", "GET /%00 HTTP/1.1", "GET /first?a?b HTTP/1.1", "GET /<first> HTTP/1.1", 'GET /"first" HTTP/1.1', "GET /a\\b HTTP/1.1",
                 "get /first HTTP/1.1", "G\x00T /first HTTP/1.1", "G(T /first HTTP/1.1", "GÉT /first HTTP/1.1", "G,T /first HTTP/1.1",
                 "CONNECT a:1 HTTP/1.1", "CONNECT /first HTTP/1.1", "PRI * HTTP/2.0", "LONGMETHODTHATNOBODYKNOWS /first HTTP/1.1", "/first HTTP/1.1", ""]:
        add("request line", repr(line), request(line))
    add("request line", "LF", b"GET /first HTTP/1.1\nHost: a\r\n\r\n")
    add("request line", "CR", b"GET /first HTTP/1.1\rHost: a\r\n\r\n")
    add("request line", "all LF", b"GET /first HTTP/1.1\nHost: a\n\n")
    for count in (1, 2, 4, 5, 20):
        add("blank lines", str(count), b"\r\n" * count + request("GET /first HTTP/1.1"))
    add("blank lines", "LF", b"\n" + request("GET /first HTTP/1.1"))
    add("blank lines", "CR", b"\r" + request("GET /first HTTP/1.1"))

    GET = "GET /first HTTP/1.1"
    for field in ["A:b", "A: b", "A:", "A: ", "A:\tb\t", "A : b", "A\t: b", " A: b", ": b", "A", "A b: c", "A(: b", "A\xe9: b",
                  "A: \xe9", "A: b\x00", "A: b\x01", "A: b\x7f", "A: b\x1b", "A: b\tc", "A: b\rc", "A: b\nc", "A: b\r\n c", "A: b\r\n\tc", "A: b\r\n ",
                  "A: b\r", "A: b\n", "\x00A: b", "A\x00: b", "{A}: b", "A/B: c", "A: " + "b" * 9000, "Connection: close\x0b", "Connection: close, keep-alive",
                  "Connection: Host", "Connection: Content-Length", "Connection: keep-alive, \x80", "Expect: 100-continue", "Expect: other", "Upgrade: a"]:
        add("field", repr(field[:40]), request(GET, [field]))
        add("field before Host", repr(field[:40]), request(GET, [field, "Host: a"], host=False))
    for hosts in [[], ["Host:"], ["Host: "], ["Host: a", "Host: a"], ["Host: a", "Host: b"], ["Host: a, b"], ["Host: a b"], ["Host: a:80"], ["Host: a:"],
                  ["Host: a:b"], ["Host: a:99999"], ["Host: a/b"], ["Host: a@b"], ["Host: u:p@b"], ["Host: [::1]"], ["Host: [::1"], ["Host: a\x00"], ["Host: \xe9"],
                  ["Host: a#b"], ["Host: a?b"], ["Host: %41"], ["Host: a_b"], ["Host: <a>"], ["Host: http://a"], ["host: a", "HOST: a"], ["Host : a"], ["Host: a\r\n b"], ["Host: ]["]]:
        add("host", repr(hosts), request(GET, hosts, host=False))
        add("host, absolute", repr(hosts), request("GET http://a/first HTTP/1.1", hosts, host=False))
    add("host", "1.0 without", request("GET /first HTTP/1.0", ["Connection: keep-alive"], host=False))
    add("sizes", "99 fields", request(GET, [f"X-{n}: y" for n in range(98)]))
    add("sizes", "200 fields", request(GET, [f"X-{n}: y" for n in range(200)]))
    add("sizes", "target of 7,000", request("GET /" + "a" * 7000 + " HTTP/1.1"))
    add("sizes", "target of 20,000", request("GET /" + "a" * 20000 + " HTTP/1.1"))
    return found


PIECES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x00", b"\x0b", b"\xff", b":", b";", b",", b"0", b"5", b"-", b"chunked",
          b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: a\r\n", b"Connection: close\r\n", b"\r\n\r\n"]


def mutants():
    generator = random.Random(SEED)
    bases = sorted(item for item in tricks().items() if len(item[1]) < 400)
    for number in range(MUTANTS):
        name, data = generator.choice(bases)
        data = bytearray(data[: -len(FOLLOWER)])
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(data) + 1)
            match generator.randrange(3):
                case 0:
                    data[at:at] = generator.choice(PIECES)
                case 1:
                    del data[at:at + generator.randint(1, 3)]
                case _:
                    data[at:at + 1] = generator.choice(PIECES)
        yield f"mutant {number} of {name}", bytes(data) + FOLLOWER


def cases():
    return list(tricks().items()) + list(mutants())
