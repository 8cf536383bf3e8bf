"""The service as an ASGI app: the API, and the console's pages beside it."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from serving.http import acting, health, reading
from serving.http.answers import HANDLERS
from serving.http.bodies import Bodies
from serving.http.cors import Cors
from serving.http.document import describe
from serving.http.guard import SHARED, Guard
from serving.http.limiting import Workers
from serving.recording import Seen
from serving.site import Site

SNIPPET = Path(__file__).parent.parent / "client" / "forage.js"


def create_app(site: Site, *, console: Sequence[BaseRoute] = (), monotonic: Callable[[], float] = time.monotonic) -> ASGIApp:
    """The app of a site. `console`: routes of its pages, at / and below /console/. `monotonic` counts seconds for the rates.

    An app that is stopped (ASGI lifespan) finishes the searches that it has begun; closing the backend is the caller's.
    """
    workers = Workers(site.limits.threads, site.limits.waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan, exception_handlers=HANDLERS)  # type: ignore[arg-type]
    app.state.site, app.state.workers, app.state.seen = site, workers, Seen()
    for part in (acting, reading, health):
        app.router.routes += part.router.routes  # flat: included routers are matched one by one, and their routes are not to be listed
    app.router.routes += [Route("/client/forage.js", _snippet), *console]
    describe(app, site)
    app.add_middleware(Bodies, most=site.limits.body, seconds=site.limits.slow, refused=site.live.refused)
    app.add_middleware(Guard, site=site, monotonic=monotonic)
    app.add_middleware(Cors, paths=SHARED, origins=site.limits.origins)
    return app


async def _snippet(_: Request) -> Response:
    """The JavaScript client, for pages of any site."""
    headers = {"access-control-allow-origin": "*", "cache-control": "public, max-age=3600"}
    return Response(SNIPPET.read_bytes(), media_type="text/javascript", headers=headers)
