"""Pages of named sites may call what they may call, and read the answer; browsers keep all others away (Fetch standard, CORS)."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT = "600"  # seconds for which a browser need not ask again


class Cors:
    """Answers a browser's question beforehand, and marks answers, for `paths` and pages of `origins`; all else passes as it is."""

    def __init__(self, app: ASGIApp, *, paths: Collection[str], origins: Collection[str]) -> None:
        self._app, self._paths, self._origins = app, paths, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._origins or scope["path"] not in self._paths:
            return await self._app(scope, receive, send)
        asked = Headers(scope=scope)
        origin = asked.get("origin", "")

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin in self._origins:
                    headers["access-control-allow-origin"] = origin
                    headers["access-control-expose-headers"] = "Retry-After"
            await send(message)

        before = scope["method"] == "OPTIONS" and origin in self._origins and "access-control-request-method" in asked
        await (_allowed() if before else self._app)(scope, receive, marked)


def _allowed() -> Response:
    allowed = {"methods": "POST", "headers": "authorization, content-type"}
    return Response(
        status_code=204, headers={f"access-control-allow-{what}": said for what, said in allowed.items()} | {"access-control-max-age": KEPT}
    )
