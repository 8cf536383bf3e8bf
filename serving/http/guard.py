"""The door: who calls, under which name, from which page, how often; and what every answer carries."""

import re
from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import NotAllowed
from serving.access import COOKIE, NOBODY, Grant
from serving.access import Scope as Right
from serving.http.answers import Stop
from serving.http.limiting import Buckets, of_address, too_many
from serving.site import Site

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
SHARED = ("/search", "/events")  # what pages of other sites may call, where they are named
UNCOUNTED = ("/healthz", "/readyz", "/metrics")
SIGN_IN = "/console/sign-in"
OPEN_PAGES = (SIGN_IN, "/console/static/", "/console/theme")
_HOST = re.compile(r"([^:\[\]]+|\[[0-9a-f:.]+\])(:\d+)?")  # name or address, port
_TRIES = ("/console/try", "/console/why")  # forms there only search and say what was done


class Guard:
    """Refuses who may not pass; the app behind finds who calls under `scope["state"]["grant"]`."""

    def __init__(self, app: ASGIApp, *, site: Site, monotonic: Callable[[], float]) -> None:
        self._app, self._site, self._buckets = app, site, Buckets(monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            grant = self._grant(headers)
            self._check_origin(scope, headers)
            self._check_rate(scope, grant)
            scope.setdefault("state", {})["grant"] = grant
            return self._check_console(scope, grant)
        except Stop as stop:
            self._site.live.refused(stop.code)
            return stop.answer

    def _check_host(self, headers: Headers) -> None:
        """An open server answers under its own names only: a page elsewhere whose name leads here (DNS rebinding) sends its name."""
        access, host = self._site.access, _HOST.fullmatch(headers.get("host", "").lower())
        if access.open and (host is None or host[1] not in access.hosts):
            names = ", ".join(access.hosts)
            raise Stop(403, "wrong_host", f"this server has no API tokens and answers only as {names}; call it so, or give it tokens")

    def _grant(self, headers: Headers) -> Grant:
        cookie = cookie_parser(headers["cookie"]).get(COOKIE) if "cookie" in headers else None
        try:
            return self._site.access.of(headers.get("authorization"), cookie, self._site.clock())
        except NotAllowed as error:
            raise unauthorized(str(error)) from None

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Where a browser lets anybody in by itself (open server, cookie), what changes something must come from our own pages."""
        origin = headers.get("origin")
        if origin is None or scope["method"] in ("GET", "HEAD", "OPTIONS") or "authorization" in headers:
            return
        ours = origin.partition("://")[2] == headers.get("host")
        named = scope["path"] in SHARED and origin in self._site.limits.origins
        if not (ours or named) and (self._site.access.open or "cookie" in headers):
            raise Stop(
                403, "wrong_origin", "a page of another site sent this; name its origin in the settings of the server, or send an API token"
            )

    def _check_rate(self, scope: Scope, grant: Grant) -> None:
        if scope["path"] in UNCOUNTED:
            return
        limits, address = self._site.limits, scope["client"][0] if scope.get("client") else ""
        who, rate = (f"token {grant.name}", limits.token_rate) if grant.name else (of_address(address), limits.rate)
        if wait := self._buckets.take(who, rate):
            raise too_many(wait)

    def _check_console(self, scope: Scope, grant: Grant) -> Response | None:
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        if not (path == "/console" or path.startswith("/console/")) or path.startswith(OPEN_PAGES):
            return None
        if reads and "read" not in grant.scopes:
            query = scope.get("query_string", b"").decode("latin-1")
            return RedirectResponse(f"{SIGN_IN}?next={quote(path + ('?' + query if query else ''), safe='')}", 303)
        check_right(grant, "read")
        if not reads:
            check_right(grant, "search" if path.startswith(_TRIES) else "operate")
        return None


def check_right(grant: Grant, right: Right) -> None:
    """Raises Stop: 401 for somebody unknown, 403 for somebody who may not do this."""
    if right in grant.scopes:
        return
    if grant is NOBODY:
        raise unauthorized(f"this needs an API token with the scope {right}; send the header Authorization: Bearer TOKEN")
    raise Stop(403, "not_allowed", f"the API token {grant.name!r} lacks the scope {right}; use one that has it")


def unauthorized(message: str) -> Stop:
    """Nobody known is calling."""
    return Stop(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
