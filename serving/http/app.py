"""The service as an ASGI app: the API, and the console's pages beside it."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from serving.site import Site


def create_app(site: Site, *, console: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The app of a site. `console`: routes of its pages, below /console/ but for /."""
    app = FastAPI(title="Forage", docs_url=None, redoc_url=None)
    app.state.site = site
    app.router.routes.extend(console)
    return app
