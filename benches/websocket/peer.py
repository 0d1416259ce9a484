"""websockets of Python: an echo at /echo, compressed if the client asks, and a chat at /chat."""

import asyncio
import logging

from websockets.asyncio.server import broadcast, serve

logging.disable()
chat = set()


async def talk(socket):
    if socket.request.path != "/chat":
        async for message in socket:
            await socket.send(message)
        return
    chat.add(socket)
    try:
        async for message in socket:
            broadcast(chat, message)
    finally:
        chat.discard(socket)


async def main():
    async with serve(talk, "127.0.0.1", 0, max_size=16 << 20) as server:
        host, port = server.sockets[0].getsockname()[:2]
        print(f"Listening on {host}:{port}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
