"""Tests an echo server with the package `websockets`. The argument is the URL."""

import asyncio
import sys

import websockets

TEXT = "h\u00e9llo \U0001f30d " * 10_000
BINARY = bytes(n * n % 256 for n in range(1_000_000))


async def check(url, compression):
    async with websockets.connect(url, compression=compression, max_size=None) as ws:
        for message in ["", "hi", TEXT, BINARY]:
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["in ", "several ", "fragments"])
        assert await ws.recv() == "in several fragments"
        await (await ws.ping(b"payload"))
        await ws.close(4000, "done")
        assert ws.close_code == 4000, ws.close_code


for compression in ["deflate", None]:
    asyncio.run(check(sys.argv[1], compression))
    print(f"websockets {websockets.__version__}, compression {compression}: ok")
