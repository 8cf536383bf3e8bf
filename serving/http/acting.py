"""Routes that do something: search, take events, decide and rank for others, orders to the publisher."""

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from schemas.base import Label, Message
from schemas.errors import NotFound
from serving import deciding, recording, searching
from serving.access import Grant
from serving.backend import Order
from serving.deciding import DecideAnswer, DecideRequest, RankAnswer, RankRequest
from serving.http.answers import json_answer, refusals
from serving.http.guard import check_right
from serving.http.route import Guarded, needs
from serving.recording import EventsAnswer, EventsRequest
from serving.searching import Answer, SearchRequest
from serving.site import Site

router = APIRouter(route_class=Guarded)


class OrderRequest(Message):
    """An order to the publisher, with the reason for the log."""

    action: Order
    content_id: Label = ""
    reason: Label = ""


class OrderAnswer(Message):
    """What became of an order, as a sentence."""

    said: str


class SpeedRequest(Message):
    """How fast the demo's simulated people search."""

    speed: float = Field(ge=0.0, description="searches a second; 0: they rest")


class CrowdAnswer(Message):
    """What the demo's simulated people do."""

    speed: float
    searches: int
    said: str


async def _on_worker(request: Request, work: Callable[[], BaseModel]) -> Response:
    """The answer of `work`, done and written on one of the bounded threads of searches."""
    answer: Response = await request.app.state.workers.run(lambda: json_answer(work()))
    return answer


@router.post("/search", response_model=Answer, responses=refusals(body=True), openapi_extra=needs("search"))
async def search(request: Request, asked: SearchRequest) -> Response:
    """Search: which strategies to ask is decided, they are asked, what they find is ranked, and the page is logged."""
    return await _on_worker(request, partial(searching.search, request.app.state.site, asked))


@router.post("/events", response_model=EventsAnswer, responses=refusals(body=True), openapi_extra=needs(None, beacon=True))
async def events(request: Request, batch: EventsRequest) -> Response:
    """Say what was shown and what people did. Each event is taken or refused alone; what was taken before counts once, so a batch may be
    sent again. Without an API token of the scope `events`, each action brings the token of its search."""
    state = request.app.state
    trusted = "events" in request.state.grant.scopes
    return json_answer(await run_in_threadpool(recording.take, state.site, batch, trusted=trusted, seen=state.seen))


@router.post("/decide", response_model=DecideAnswer, responses=refusals(body=True), openapi_extra=needs("search"))
async def decide(request: Request, asked: DecideRequest) -> Response:
    """For an engine of one's own: which of its strategies to ask for this search, how deep, and with what probability."""
    return await _on_worker(request, partial(deciding.decide, request.app.state.site, asked))


@router.post("/rank", response_model=RankAnswer, responses=refusals(body=True), openapi_extra=needs("search"))
async def rank(request: Request, asked: RankRequest) -> Response:
    """For an engine of one's own: the page out of what its strategies found, and the impression that tells about it."""
    grant: Grant = request.state.grant
    if asked.record:
        check_right(grant, "events")
    return await _on_worker(request, partial(deciding.rank, request.app.state.site, asked, trusted="events" in grant.scopes))


@router.post("/snapshots", response_model=OrderAnswer, responses=refusals(404, body=True), openapi_extra=needs("operate"))
async def order(request: Request, asked: OrderRequest) -> Response:
    """Promote a publication, roll back to it, hold the one in use, or go on publishing. Going back is a new publication, also held."""
    give = partial(request.app.state.site.backend.order, asked.action, asked.content_id, reason=asked.reason)
    return json_answer(OrderAnswer(said=await run_in_threadpool(give)))


@router.post("/demo/speed", response_model=CrowdAnswer, responses=refusals(404, body=True), openapi_extra=needs("operate"))
async def speed(request: Request, asked: SpeedRequest) -> Response:
    """The demo: how fast its simulated people search."""
    site: Site = request.app.state.site
    if site.crowd is None:
        raise NotFound("nobody is simulated here; start the service with `forage demo`")
    site.crowd.set_speed(asked.speed)
    return json_answer(CrowdAnswer(speed=site.crowd.speed, searches=site.crowd.searches, said=site.crowd.said))
