"""Tests an echo server with `aiohttp`. The argument is the URL."""

import asyncio
import sys

import aiohttp

TEXT = "h\u00e9llo \U0001f30d " * 10_000
BINARY = bytes(n * n % 256 for n in range(1_000_000))


async def check(url, compress):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, compress=compress, max_msg_size=0) as ws:
            for text in ["", "hi", TEXT]:
                await ws.send_str(text)
                assert await ws.receive_str() == text
            await ws.send_bytes(BINARY)
            assert await ws.receive_bytes() == BINARY
            await ws.ping(b"payload")
            await ws.close(code=4000, message=b"done")
            assert ws.close_code == 4000, ws.close_code


for compress in [0, 15]:
    asyncio.run(check(sys.argv[1], compress))
    print(f"aiohttp {aiohttp.__version__}, window bits {compress}: ok")
