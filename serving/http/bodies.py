"""Bodies of bounded size and patience: read whole before anything else happens, so that a slow sender holds nothing but his connection."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.answers import Stop


class Bodies:
    """Refuses a body of more than `most` bytes (413), announced or not, and one that has not come in `seconds` (408).

    `refused` is told the code of each refusal.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float, refused: Callable[[str], None]) -> None:
        self._app, self._most, self._seconds, self._refused = app, most, seconds, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self._app(scope, receive, send)
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            stop = Stop(408, "too_slow", f"the body did not come within {self._seconds:g} s; send less, or try again")
            return await self._refuse(stop, scope, receive, send)
        except Stop as stop:
            return await self._refuse(stop, scope, receive, send)
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None when the sender has gone away."""
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or len(announced) > 18 or int(announced) > self._most:
            raise self._too_large()
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            size, more = size + len(chunks[-1]), message.get("more_body", False)
            if size > self._most:
                raise self._too_large()
        return b"".join(chunks)

    def _too_large(self) -> Stop:
        return Stop(413, "too_large", f"a body has at most {self._most} bytes; send less at once")

    async def _refuse(self, stop: Stop, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and hang up: the rest of the body is not read."""
        self._refused(stop.code)
        response = stop.answer
        response.headers["connection"] = "close"
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return left.pop() if left else await receive()

    return replayed
