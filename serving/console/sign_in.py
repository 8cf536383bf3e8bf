"""Signing in to a console whose service has API tokens: the token once, then a cookie that no script reads."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from schemas.errors import NotAllowed
from serving.access import set_cookie
from serving.console.frame import Screen, inside, posted, render
from serving.site import Site

PATH = "/console/sign-in"
QUESTION = "Sign in"


def routes(site: Site) -> list[BaseRoute]:
    """GET and POST /console/sign-in, POST /console/sign-in/out."""

    def ask(request: Request) -> Response:
        if site.access.open:
            return RedirectResponse("/console/today", 303)
        return _page(request, site, inside(request.query_params.get("next", "")))

    def enter(request: Request, fields: Mapping[str, str]) -> Response:
        to = inside(fields.get("next", ""))
        try:
            cookie = site.access.sign_in(fields.get("token", ""), site.clock())
        except NotAllowed as error:
            return _page(request, site, to, refused=str(error))
        return RedirectResponse(to, 303, headers=set_cookie(cookie, secure=request.url.scheme == "https"))

    def leave(request: Request, fields: Mapping[str, str]) -> Response:
        return RedirectResponse(PATH, 303, headers=set_cookie("", secure=request.url.scheme == "https"))

    return [Route(PATH, ask), Route(PATH, posted(enter), methods=["POST"]), Route(f"{PATH}/out", posted(leave), methods=["POST"])]


def _page(request: Request, site: Site, to: str, *, refused: str = "") -> Response:
    screen = Screen(QUESTION, "This service asks for an API token with the right to read. The operator gives them out.")
    return render(request, "sign_in.html", site=site, screen=screen, to=to, refused=refused, status=403 if refused else 200)
