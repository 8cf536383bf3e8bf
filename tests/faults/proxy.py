"""A TCP proxy before the broker: it delays what passes, and loses answers to produce requests after the broker has appended them.

Clients stay behind it, because the broker has a listener of its own for it, whose advertised address is the proxy's.
"""

import asyncio
import struct
import threading
import time

PRODUCE = 0  # API key
READ = 1 << 16


class Proxy:
    """Runs in a thread of its own. `delay` is in seconds, each way. `lose`: what happens to answers of produce requests: "" for nothing,
    "silence" for no answer (the client times out), "reset" for a connection closed instead of the answer."""

    def __init__(self, port: int, to: int) -> None:
        self.delay, self.lose, self.lost = 0.0, "", 0
        self.address = f"127.0.0.1:{port}"
        self._port, self._to = port, to
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        if not self._ready.wait(10.0):
            raise RuntimeError(f"no proxy on port {port}")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", self._port))
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        asked: dict[int, int] = {}  # API key of each request without an answer, by correlation id
        ways = [asyncio.create_task(self._way(reader, far_writer, asked)), asyncio.create_task(self._way(far_reader, writer, asked, True))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            far_writer.close()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[int, int], back: bool = False) -> None:
        """Frames of one direction, each `delay` later than it came, in order."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(_later(waiting, writer))
        try:
            while not sender.done():
                size = await reader.readexactly(4)
                frame = await reader.readexactly(struct.unpack(">i", size)[0])
                if back and self._loses(frame, asked):
                    if self.lose == "reset":
                        return
                    continue
                if not back:
                    key, _, number = struct.unpack(">hhi", frame[:8])
                    asked[number] = key
                waiting.put_nowait((time.monotonic() + self.delay, size + frame))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            sender.cancel()

    def _loses(self, frame: bytes, asked: dict[int, int]) -> bool:
        lost = asked.pop(struct.unpack(">i", frame[:4])[0], None) == PRODUCE and self.lose != ""
        self.lost += lost
        return lost


async def _later(waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
    while True:
        at, data = await waiting.get()
        if (left := at - time.monotonic()) > 0:
            await asyncio.sleep(left)
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            return
