"""From what somebody asked to what is answered: the API's search, and the console's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from schemas.base import Attributes, Id, Label, Message, Probability
from schemas.candidates import Request
from schemas.decisions import Decision, Status
from schemas.errors import InvalidMessage, NotAllowed
from schemas.events import Context, Result, Source
from schemas.ids import query_class, query_key
from serving.backend import Lacking
from serving.kept import Begun, Search
from serving.pipeline import Page
from serving.record import MAX_PAGE_SIZE
from serving.site import Site
from serving.view import View

Typed = Annotated[str, Field(max_length=2048, description="what was searched; empty for a shelf of recommendations")]
Ids = Annotated[list[Id], Field(max_length=50, description="entities that this client chose in this visit, newest last")]


class Asked(Message):
    """Who asks for what, and all that strategies and policy may use of it."""

    query: Typed
    client_id: Id | None = None
    session_id: Id | None = None
    k: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE, description="results of a page")] = 10
    page: Annotated[int, Field(ge=1, le=1000)] = 1
    surface: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "search"
    segment: Label = ""
    recent: Ids = []
    profile: Attributes = {}
    context: Context = Context()

    def request(self, search_id: str, ts: int) -> Request:
        """The request that strategies and policy see, at wall time `ts` (ms)."""
        key = query_key(self.query, self.surface)
        return Request(
            search_id=search_id, ts=ts, query=self.query, query_key=key, query_class=query_class(key), surface=self.surface,
            segment=self.segment, page=self.page, size=self.k, client_id=self.client_id, session_id=self.session_id,
            context=self.context, profile=self.profile, recent=self.recent,
        )  # fmt: skip


class SearchRequest(Asked):
    """A search. Further pages name the search and bring the token of a page before: they repeat its decision.

    `explore` false: no page tests, and every strategy is asked or not by what is known of it, without a draw.
    """

    search_id: Id | None = None
    token: Annotated[str, Field(max_length=2048)] | None = None
    explore: bool = True


class Found(Message):
    """One result as it is answered."""

    entity_id: Id
    entity_type: Label
    title: str
    position: int
    score: float
    sources: Sequence[Source]


class AskedStrategy(Message):
    """One strategy of the decision: whether it was asked, with what chance, what came of it. Always-on ones have chance 1."""

    name: str
    asked: bool
    propensity: Probability
    depth: int
    returned: int
    ms: float
    status: Status


class DecisionSummary(Message):
    """What was decided. The decision with everything to verify it is in the log."""

    decision_id: str
    content_id: str
    seq: int
    strategies: list[AskedStrategy]


class Answer(Message):
    """A page of results. `token` is what an action on them must bring; `degraded` what the service does without for now."""

    search_id: Id
    token: str
    page: int
    results: Sequence[Found]
    decision: DecisionSummary
    timing_ms: dict[str, float]
    degraded: list[Lacking]


def search(site: Site, asked: SearchRequest, *, counted: bool = True, view: View | None = None) -> Answer:
    """Search, keep, meter and sign. `counted` False: nothing is logged, nobody learns from it. `view`: another one than the current.

    Raises InvalidMessage, NotAllowed (a false token).
    """
    now = site.clock()
    before = _before(site, asked, now)
    if before is None:
        request = replace(asked.request(site.new_id(), now), explore=asked.explore)
        decision, first, view = None, None, view or site.backend.view()
    else:
        request, decision = replace(before.request, page=asked.page, ts=now), before.decision
        counted = counted and before.counted
        first = site.kept.get(request.search_id)
        view = first.view if first else site.backend.view()
    page = site.pipeline.search(request, decision=decision, first=first.page if first is not None else None, view=view, record=counted)
    site.kept.put(Search(request, page, view, counted))
    site.live.searched(page, ms=page.timing.get("total", 0.0), counted=counted)
    return answer(site, page, view)


def answer(site: Site, page: Page, view: View) -> Answer:
    """What is answered for a page, signed."""
    said = page.impression
    assert said.decision is not None
    return Answer.model_construct(
        search_id=said.search_id,
        token=site.signer.sign(said.search_id, said.client_id, said.ts, shown=[one.entity_id for one in said.results]),
        page=said.page,
        results=[found(one, view) for one in said.results],
        decision=summary(said.decision),
        timing_ms={name: round(ms, 3) for name, ms in page.timing.items()},
        degraded=[trouble.what for trouble in site.backend.troubles()],
    )


def found(result: Result, view: View) -> Found:
    entity = view.catalog.get(result.entity_id)
    return Found.model_construct(
        entity_id=result.entity_id,
        entity_type=result.entity_type,
        title=entity.title if entity else "",
        position=result.position,
        score=result.score,
        sources=result.sources,
    )


def summary(decision: Decision) -> DecisionSummary:
    """A decision without what only the log needs."""
    arms = [
        AskedStrategy.model_construct(
            name=arm.name, asked=arm.asked, propensity=arm.propensity, depth=arm.depth, returned=arm.returned, ms=arm.ms, status=arm.status
        )
        for arm in decision.arms
    ]
    always = [
        AskedStrategy.model_construct(
            name=one.name, asked=True, propensity=1.0, depth=one.depth, returned=one.returned, ms=one.ms, status=one.status
        )
        for one in decision.always
    ]
    return DecisionSummary.model_construct(
        decision_id=decision.decision_id, content_id=decision.content_id, seq=decision.seq, strategies=[*arms, *always]
    )


def _before(site: Site, asked: SearchRequest, now: int) -> Begun | None:
    """The search whose page is turned; None for a new one, and where it is no longer kept: an answer with another search_id is better
    than none. Raises InvalidMessage, NotAllowed."""
    if asked.search_id is None:
        return None
    if asked.token is None:
        raise NotAllowed("token: is missing; to turn pages send search_id and token as they were answered, neither for a new search")
    site.signer.check(asked.token, search_id=asked.search_id, client_id=asked.client_id, now=now)
    begun = site.kept.begun(asked.search_id)
    if begun is not None and (asked.query, asked.k) != (begun.request.query, begun.request.size):
        raise InvalidMessage("not a page of this search", ["query: query and k must be those of page 1; send them unchanged"])
    return begun
