"""An echo server with `websockets` or `aiohttp`. The arguments are the package and the port."""

import asyncio
import sys

package, port = sys.argv[1], int(sys.argv[2])


async def with_websockets():
    import websockets

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async with websockets.serve(echo, "127.0.0.1", port, max_size=None):
        await asyncio.Future()


async def with_aiohttp():
    from aiohttp import WSMsgType, web

    async def echo(request):
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        async for message in ws:
            if message.type == WSMsgType.TEXT:
                await ws.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await ws.send_bytes(message.data)
        return ws

    app = web.Application()
    app.add_routes([web.get("/", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Future()


asyncio.run({"websockets": with_websockets, "aiohttp": with_aiohttp}[package]())
