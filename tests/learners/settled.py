"""Conclusions as the kernel would send them, small."""

from learners.rewards import REWARDS
from schemas.decisions import Decision
from schemas.events import Action, CandidateSample, Impression, Placement, Query, Result
from schemas.ids import digest
from schemas.outcomes import Amendment, Outcome

T0 = 1_767_225_600_000


def shown(entity, position, *, features=(1, 2), mode="score", p=1.0):
    return Result(entity_id=entity, position=position, features=list(features), placement=Placement(mode=mode, p=p))


def sampled(entity, *, features=(3, 4)):
    return CandidateSample(entity_id=entity, score=0.5, features=list(features))


def page(results, *, number=1, candidates=(), search="s", rank_version="r1", **more):
    decision = Decision(decision_id="d", content_id="c", seq=1, available=[], arms=[], rank_version=rank_version)
    plain = {"query": Query(text="Halo 3"), "segment": "g", "decision": decision} | more
    return Impression(search_id=search, page=number, ts=T0, results=list(results), candidates=list(candidates), **plain)


def act(entity, kind="click", *, n=0, search="s"):
    name = "x" if kind == "other" else None
    return Action(action_id=f"{entity}-{kind}-{n}", search_id=search, ts=T0, kind=kind, entity_id=entity, name=name)


def outcome(pages, actions=(), *, search="s", time=T0):
    rewards = {}
    for entity, kind in sorted({(one.entity_id, one.kind) for one in actions if one.entity_id is not None}):
        rewards[entity] = rewards.get(entity, 0) + REWARDS[kind]
    return Outcome(
        final_id=digest(search), search_id=search, time=time, closed=time + 1, pages=list(pages), actions=list(actions), rewards=rewards,
        off_page=0, client="00ff",
    )  # fmt: skip


def amendment(event, *, time=T0 + 1):
    name = f"p{event.page}" if isinstance(event, Impression) else event.action_id
    return Amendment(amendment_id=digest(event.search_id, name), final_id=digest(event.search_id), time=time, event=event)


def plain(final):
    """A final as plain values, to compare."""
    return {
        name: (value.dtype.str, value.shape, value.tolist()) if hasattr(value, "dtype") else value
        for name in type(final).__slots__
        for value in [getattr(final, name)]
    }
