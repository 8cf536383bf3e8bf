"""Routes that only read: why a result stands where it stands, what is decided by, what is remembered, what was published."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from schemas.base import Id, Label, Message
from schemas.candidates import Counted
from schemas.errors import NotFound, Unavailable
from schemas.events import ACTION_KINDS
from schemas.ids import query_key
from schemas.rows import POSITION_BINS
from schemas.snapshots import Manifest
from serving import explaining
from serving.backend import Lacking
from serving.http.answers import json_answer, refusals
from serving.http.plain import model_of, plain
from serving.http.route import Guarded, needs
from serving.site import Site

MOST = 200  # entities of one answer of /memory
PLACES = [str(low) if low == high else f"{low}-{high}" if high < 100_000 else f"{low}+" for low, high in POSITION_BINS]
router = APIRouter(route_class=Guarded)


class ExplainAnswer(Message):
    """How a page was made; with an entity, why it stands there, or which stage lost it. `sentence` says it in words."""

    search_id: Id
    page: int
    sentence: str
    story: model_of(explaining.Story) | None = None  # type: ignore[valid-type]
    explanation: model_of(explaining.Explanation) | None = None  # type: ignore[valid-type]
    missing: model_of(explaining.Lost) | None = None  # type: ignore[valid-type]


class Version(Message):
    """One publication. `created` in wall ms; `pinned`: held, nothing newer replaces it."""

    content_id: str
    seq: int
    created: int
    pinned: bool
    reason: str
    exploration: float


class PolicyAnswer(Message):
    """What is decided by now: the publication in use (null: none yet, the untrained policy serves), its definition, and the strategies that
    can be asked."""

    version: Version | None
    definition: dict[str, Any]
    available: Sequence[str]
    degraded: list[Lacking]


class Memorized(Message):
    """What is counted for one entity under the query: `shown` by place, `acted` by kind; and what memory reads from that now, older days
    weighing less: reward, examinations, distinct people (at most 8 are told apart)."""

    entity_id: Id
    title: str
    shown: dict[str, int]
    acted: dict[str, int]
    first_day: date
    last_day: date
    reward: float
    examined: float
    clients: int


class MemoryAnswer(Message):
    """What is remembered under a query, most rewarded first; `total` entities, of which at most 200 are here."""

    query_key: str
    segment: str
    total: int
    entities: list[Memorized]


class SnapshotsAnswer(Message):
    """The publications that are kept, oldest first; the last one is in use."""

    snapshots: list[Version]


_Id = Annotated[str, Query(min_length=1, max_length=256)]


@router.get("/explain", response_model=ExplainAnswer, responses=refusals(404), openapi_extra=needs("read"))
async def explain(
    request: Request, search_id: _Id, entity_id: _Id | None = None, page: Annotated[int, Query(ge=1, le=1000)] = 1
) -> Response:
    """How a page of the last 500 was made; with `entity_id`, why that one stands there or is not there."""
    return json_answer(await run_in_threadpool(_explain, request.app.state.site, search_id, entity_id, page))


@router.get("/policy", response_model=PolicyAnswer, responses=refusals(404), openapi_extra=needs("read"))
async def policy(request: Request) -> Response:
    """What is decided by now."""
    return json_answer(await run_in_threadpool(_policy, request.app.state.site))


@router.get("/memory", response_model=MemoryAnswer, responses=refusals(), openapi_extra=needs("read"))
async def memory(
    request: Request,
    query: Annotated[str, Query(max_length=2048)],
    segment: Annotated[Label, Query()] = "",
    surface: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "search",
) -> Response:
    """What is remembered under a query."""
    return json_answer(await run_in_threadpool(_memory, request.app.state.site, query_key(query, surface), segment))


@router.get("/snapshots", response_model=SnapshotsAnswer, responses=refusals(), openapi_extra=needs("read"))
async def snapshots(request: Request) -> Response:
    """The publications that are kept."""
    found = await run_in_threadpool(request.app.state.site.backend.versions)
    return json_answer(SnapshotsAnswer(snapshots=[_version(one) for one in found]))


def _explain(site: Site, search_id: str, entity_id: str | None, page: int) -> ExplainAnswer:
    search = site.kept.get(search_id, page)
    if search is None:
        raise NotFound(f"page {page} of search {search_id!r} is not kept here; the last 500 pages of this process are, search again")
    about: dict[str, Any] = {"search_id": search_id, "page": page}
    if entity_id is None:
        story = explaining.story(search)
        return ExplainAnswer(**about, sentence=story.sentence, story=plain(story), explanation=None, missing=None)
    if any(one.entity_id == entity_id for one in search.page.impression.results):
        found = explaining.explain(search, entity_id)
        return ExplainAnswer(**about, sentence=found.sentence, story=None, explanation=plain(found), missing=None)
    lost = explaining.missing(search, entity_id)
    return ExplainAnswer(**about, sentence=lost.sentence, story=None, explanation=None, missing=plain(lost))


def _policy(site: Site) -> PolicyAnswer:
    versions, view = site.backend.versions(), site.backend.view()
    definition = dict(site.backend.content(versions[-1].content_id).definition) if versions else {}
    return PolicyAnswer(
        version=_version(versions[-1]) if versions else None,
        definition=definition,
        available=view.available if site.breakers is None else site.breakers.available(view.available),
        degraded=[trouble.what for trouble in site.backend.troubles()],
    )


def _memory(site: Site, key: str, segment: str) -> MemoryAnswer:
    remembered = site.backend.remembered()
    if remembered is None:
        raise Unavailable("no memory has been read yet; wait for it, /readyz and the console's Data flow say what is missing")
    counted, catalog = remembered.counted(key, segment), site.backend.view().catalog
    titles = {one.entity_id: entity.title for one in counted[:MOST] if (entity := catalog.get(one.entity_id))}
    entities = [_memorized(one, titles.get(one.entity_id, "")) for one in counted[:MOST]]
    return MemoryAnswer(query_key=key, segment=segment, total=len(counted), entities=entities)


def _memorized(one: Counted, title: str) -> Memorized:
    return Memorized(
        entity_id=one.entity_id,
        title=title,
        shown=dict(zip(PLACES, one.shown, strict=True)),
        acted={kind: count for kind, count in zip(ACTION_KINDS, one.acted, strict=True) if count},
        first_day=_day(one.first_day),
        last_day=_day(one.last_day),
        reward=one.evidence.reward,
        examined=one.evidence.examined,
        clients=one.evidence.clients,
    )


def _day(since_1970: int) -> date:
    return datetime.fromtimestamp(since_1970 * 86_400, UTC).date()


def _version(one: Manifest) -> Version:
    return Version(
        content_id=one.content_id, seq=one.seq, created=one.created, pinned=one.pinned, reason=one.reason, exploration=one.exploration
    )
