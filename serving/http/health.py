"""For whoever runs the service: does it live, is it ready, what are its figures."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from schemas.base import Message
from serving.backend import Lacking
from serving.http.answers import Stop, json_answer, refusals
from serving.http.route import Guarded, needs
from serving.site import Site

router = APIRouter(route_class=Guarded)


class Alive(Message):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Message):
    """Searches are answered; `degraded` says without what, `strategies` by which."""

    status: Literal["ready"] = "ready"
    degraded: list[Lacking]
    strategies: list[str]


@router.get("/healthz", response_model=Alive, responses=refusals())
async def healthz() -> Response:
    """The process answers. Restart it when this does not."""
    return json_answer(Alive())


@router.get("/readyz", response_model=Ready, responses=refusals())
async def readyz(request: Request) -> Response:
    """Searches can be answered, if with something missing. Send no traffic when this is not 200."""
    site: Site = request.app.state.site
    strategies = [*site.backend.view().available]
    if not strategies:
        raise Stop(503, "not_ready", "no strategy can be asked yet; wait for the catalogue", headers={"Retry-After": "1"})
    return json_answer(Ready(degraded=[trouble.what for trouble in site.backend.troubles()], strategies=strategies))


@router.get(
    "/metrics", response_class=Response, openapi_extra=needs("read"),
    responses={**refusals(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "As Prometheus reads them."}},
)  # fmt: skip
def metrics(request: Request) -> Response:
    """The service's figures."""
    return Response(request.app.state.site.samples(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})
