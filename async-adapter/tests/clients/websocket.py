"""Ann and Bob over WebSocket, with the client of PyPI: python3 websocket.py ws://host:port"""

import asyncio
import sys

import websockets


async def main(address):
    async with (
        websockets.connect(f"{address}/ann") as ann,
        websockets.connect(f"{address}/bob") as bob,
    ):
        for visitor in (ann, bob):
            # Whoever is told of a refusal is in the room by then.
            await visitor.send("x" * 20_000)
            note = await visitor.recv()
            assert note.startswith("not sent, refused: "), note
        await ann.send("hello")
        assert await bob.recv() == "ann: hello"
        await bob.send("hi")
        assert await ann.recv() == "bob: hi"
    print("they have talked")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
