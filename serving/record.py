"""From what happened in a search to what is logged about it. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from schemas.base import Message
from schemas.candidates import Request
from schemas.decisions import Decision, Status
from schemas.entities import Entity
from schemas.errors import InvalidMessage
from schemas.events import CandidateSample, Impression, Placement, Query, Result, Source
from schemas.explain import explain
from serving.view import Placed, Ranked

MAX_PAGE_SIZE = 100  # results of one impression
MAX_CANDIDATES = 50  # candidates of one impression
MAX_TEXT = 512  # of a query text in an impression

M = TypeVar("M", bound=Message)
_RESULT, _CANDIDATE, _SOURCE = set(Result.model_fields), set(CandidateSample.model_fields), set(Source.model_fields)
_BY_SCORE = Placement()
_set = object.__setattr__


class Run(NamedTuple):
    """What asking one strategy gave."""

    returned: int
    ms: float
    status: Status


def head(request: Request) -> Impression:
    """The impression of a request before anything is known about its results. Raises InvalidMessage, before any work is done.

    The text of a longer query is cut to 512 characters in the log; its key stays what it is.
    """
    problems = [] if 1 <= request.size <= MAX_PAGE_SIZE else [f"size: must be 1 to {MAX_PAGE_SIZE}, got {request.size}; ask for more pages"]
    try:
        query = Query(text=request.query[:MAX_TEXT], key=request.query_key, locale=request.context.locale, query_class=request.query_class)
        impression = Impression(
            search_id=request.search_id,
            page=request.page,
            surface=request.surface,
            client_id=request.client_id,
            session_id=request.session_id,
            ts=request.ts,
            query=query,
            segment=request.segment,
            context=request.context,
            results=[],
        )
    except ValidationError as error:
        raise InvalidMessage("not a request", problems + explain(error)) from None
    if problems:
        raise InvalidMessage("not a request", problems)
    return impression


def with_runs(decision: Decision, runs: Mapping[str, Run]) -> Decision:
    """The decision with what came of it: candidates returned, milliseconds and status of every strategy that was asked."""
    arms = [arm.model_copy(update=runs[arm.name]._asdict()) if arm.name in runs else arm for arm in decision.arms]
    always = [one.model_copy(update=runs[one.name]._asdict()) if one.name in runs else one for one in decision.always]
    return decision.model_copy(update={"arms": arms, "always": always})


def with_shadow(decision: Decision, found: Mapping[str, Sequence[str]]) -> Decision:
    """The decision with the entities that each shadow strategy found; none for one that failed or was not asked."""
    return decision.model_copy(update={"shadow": [one.model_copy(update={"found": [*found.get(one.name, ())]}) for one in decision.shadow]})


def results(placed: Sequence[Placed], catalog: Mapping[str, Entity], *, page: int, size: int) -> list[Result]:
    """The results of one page, in order; positions count over all pages, from 1."""
    out = []
    for position, place in enumerate(placed, (page - 1) * size + 1):
        one = place.one
        entity = catalog.get(one.entity_id)
        by_score = place.mode == "score" and place.p == one.draw_p == 1.0
        placement = _BY_SCORE if by_score else Placement(mode=place.mode, p=place.p, draw_p=one.draw_p, team=place.team)
        values = {
            "entity_id": one.entity_id,
            "entity_type": entity.entity_type if entity else "",
            "position": position,
            "score": one.score,
            "sources": _sources(one),
            "features": list(one.features),
            "placement": placement,
        }
        out.append(_record(Result, _RESULT, values))
    return out


def candidates(ranked: Sequence[Ranked]) -> list[CandidateSample]:
    """The first candidates of the union, shown or not."""
    return [
        _record(
            CandidateSample,
            _CANDIDATE,
            {"entity_id": one.entity_id, "score": one.score, "sources": _sources(one), "features": list(one.features)},
        )
        for one in ranked[:MAX_CANDIDATES]
    ]


def _sources(one: Ranked) -> list[Source]:
    return [_record(Source, _SOURCE, {"strategy": name, "rank": rank, "score": score}) for name, rank, score in one.found]


def _record(model: type[M], fields: set[str], values: dict[str, object]) -> M:
    """`model_construct` with every field given, in a third of its time: an impression holds hundreds of these small records.

    Nothing is validated: the values are right because of where they come from, and a test decodes what is logged.
    """
    out = model.__new__(model)
    _set(out, "__dict__", values)
    _set(out, "__pydantic_fields_set__", fields)
    _set(out, "__pydantic_extra__", None)
    _set(out, "__pydantic_private__", None)
    return out
