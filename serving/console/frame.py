"""The frame of every screen: how a page is rendered, what stands around it, its static files, and who may see it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from hashlib import sha256
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from display import numbers, words
from display.colours import style
from schemas.errors import CorruptFile, ForageError, NotAllowed, NotFound, Unavailable
from serving.access import COOKIE, Scope
from serving.backend import Backend, Trouble

if TYPE_CHECKING:
    from serving.site import Site

log = logging.getLogger(__name__)
Endpoint = Callable[[Request], Any]
HERE = Path(__file__).parent
NAV = (
    ("/console/today", "Today"),
    ("/console/try", "Try a search"),
    ("/console/methods", "Methods"),
    ("/console/memory", "Memory"),
    ("/console/results", "Results"),
    ("/console/versions", "Versions"),
    ("/console/flow", "Data flow"),
    ("/console/words", "Words"),
)
SCREENS = (
    "sign_in",
    "today",
    "try_search",
    "why",
    "methods",
    "memory",
    "results",
    "versions",
    "flow",
    "words",
)  # modules with `routes(site)`
SHEETS = ("display.css", "frame.css", "style.css", "screens.css", "try.css")
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
THEMES = ("auto", "dark", "light")
MOST_POSTED = 65_536  # bytes of a form
_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Screen:
    """The question that a screen answers, and the answer as one computed sentence: plain text, or Markup with links."""

    question: str
    sentence: str | Markup = ""


class Pulse(NamedTuple):
    """What the bar says of the whole service."""

    version: str
    counted_up_to: int | None
    troubles: Sequence[Trouble]


def render(request: Request, template: str, *, site: "Site", screen: Screen, status: int = 200, **values: object) -> HTMLResponse:
    """A screen in its frame. `values` go to the template, beside `site`, `screen`, `clock(ms)`, `static(name)` and the modules `numbers`
    and `words` of display."""
    theme = theme_of(request)
    framed = {
        "site": site,
        "screen": screen,
        "nav": NAV,
        "here": request.url.path,
        "full": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "theme": "" if theme == "auto" else theme,
        "next_theme": THEMES[(THEMES.index(theme) + 1) % len(THEMES)],
        "pulse": pulse(site.backend),
        "signed_in": COOKIE in request.cookies and not site.access.open,
    }
    return HTMLResponse(_templates().get_template(template).render(framed | values), status, headers=HEADERS)


def pulse(backend: Backend) -> Pulse:
    """Version in use, time up to which events are counted, what is missing."""
    versions = backend.versions()
    return Pulse(f"Version {versions[-1].seq}" if versions else "", backend.flow().counted_up_to, backend.troubles())


def may(request: Request, site: "Site", scope: Scope) -> bool:
    """Whether who is signed in here has a right."""
    return scope in site.access.of(None, request.cookies.get(COOKIE), site.clock()).scopes


def theme_of(request: Request) -> str:
    """The theme that somebody chose here; auto follows their system."""
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


def clock(ms: int) -> Markup:
    """A moment as a time of day; times.js turns UTC into the reader's own."""
    at = datetime.fromtimestamp(ms / 1_000.0, UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(at.isoformat(timespec="seconds"), at.strftime("%H:%M:%S"))


def pages(site: "Site") -> list[BaseRoute]:
    """The routes of all screens, of signing in and of the static files, for `serving.http.app.create_app`."""
    own: list[BaseRoute] = [
        Route("/", lambda request: RedirectResponse("/console/today", 303)),
        Route("/console", lambda request: RedirectResponse("/console/today", 303)),
        Route("/console/static/{version}/{name}", served),
        Route("/console/pulse", lambda request: render(request, "pulse.html", site=site, screen=Screen(""))),
        Route("/console/theme", posted(choose_theme), methods=["POST"]),
    ]
    for name in SCREENS:  # imported here, because each is built on this module
        own += import_module(f"serving.console.{name}").routes(site)
    return [Route(one.path, told(site, one.endpoint), methods=list(one.methods or ())) if isinstance(one, Route) else one for one in own]


def told(site: "Site", endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose refusals are pages too: what is wrong and what to do, in the frame."""

    def refused(request: Request, error: Exception) -> Response:
        whole = 500, "Something is wrong in this server"
        status, question = next((answer for kind, answer in _REFUSALS if isinstance(error, kind)), whole)
        said = str(error) if isinstance(error, ForageError) else "Its log says what. Try again, and report it if it stays."
        if not isinstance(error, ForageError):
            log.exception("%s failed", request.url.path)
        return render(request, "problem.html", site=site, screen=Screen(question), status=status, said=said)

    @wraps(endpoint)
    def shown(request: Request) -> Any:
        try:
            return endpoint(request)
        except Exception as error:
            return refused(request, error)

    @wraps(endpoint)
    async def awaited(request: Request) -> Any:
        try:
            return await endpoint(request)
        except Exception as error:
            return refused(request, error)

    return awaited if iscoroutinefunction(endpoint) else shown


_REFUSALS: Sequence[tuple[type[ForageError], tuple[int, str]]] = (
    (NotFound, (404, "This is not here")),
    (NotAllowed, (403, "This is not allowed")),
    (Unavailable, (503, "This cannot be done now")),
    (CorruptFile, (500, "A file on the server is damaged")),
    (ForageError, (400, "This does not work so")),
)


@cache
def statics() -> Mapping[str, bytes]:
    """The static files by name; the colours and the charts' classes are those of display."""
    ours = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir()) if path.suffix in _MEDIA}
    return ours | {"display.css": style().encode()}


@cache
def version() -> str:
    """A name for these static files together: it stands in their address, so modules import each other by plain relative names."""
    whole = sha256()
    for name, content in statics().items():
        whole.update(name.encode() + b"\0" + content)
    return whole.hexdigest()[:12]


def static(name: str) -> str:
    """The address of a static file. Raises KeyError for one that is not there."""
    statics()[name]
    return f"/console/static/{version()}/{name}"


def served(request: Request) -> Response:
    """GET /console/static/{version}/{name}. A page from before an update gets the file of today, and does not keep it."""
    name = request.path_params["name"]
    content = statics().get(name)
    if content is None:
        return Response("no such file", 404, media_type="text/plain")
    kept = _YEAR if request.path_params["version"] == version() else "no-store"
    return Response(content, media_type=_MEDIA[Path(name).suffix], headers={"cache-control": kept, "x-content-type-options": "nosniff"})


Handler = Callable[[Request, Mapping[str, str]], Response]


def posted(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for a form: its fields go to `handler` on a thread. Where it comes from, the service's guard checks."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_POSTED:
                return Response(f"a form has at most {MOST_POSTED} bytes; shorten the text", 413)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        return await run_in_threadpool(handler, request, fields)

    return endpoint


def from_here(request: Request) -> bool:
    """Whether a page of this very address, or somebody at the address bar, led here: a link elsewhere must not make anything count."""
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def choose_theme(request: Request, fields: Mapping[str, str]) -> Response:
    """POST /console/theme."""
    answer = back(fields)
    theme = fields.get("theme", "auto")
    answer.set_cookie("theme", theme if theme in THEMES else "auto", max_age=31_536_000, path="/console", samesite="strict")
    return answer


def back(fields: Mapping[str, str], otherwise: str = "/console/today") -> RedirectResponse:
    """To the page that the form stood on; never to another site."""
    return RedirectResponse(inside(fields.get("back", ""), otherwise), 303)


def inside(address: str, otherwise: str = "/console/today") -> str:
    """The address if it is one of this console."""
    return address if address.startswith("/console/") and "\\" not in address and not set(address) & set("\r\n") else otherwise


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.update(static=static, clock=clock, sheets=SHEETS, numbers=numbers, words=words)
    return made
