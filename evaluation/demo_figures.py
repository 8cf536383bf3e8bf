"""Figures of a demo run, as plain data: what was asked, how good the pages were, what memory holds, against the known truth.

    {"seed", "searches", "people", "catalogue": {TYPE: n}, "queries": {KIND: n}, "window", "settled",
     "quality" | "top3": {CONTENDER: [per window]},  "asked" | "explored": [per window],
     "ahead": {"mean", "low", "high"}                 learned - rrf of nDCG@10 over the settled searches, 95 % paired bootstrap
     "kinds": {KIND: {"searches", "chance": {STRATEGY: p}, "first": {STRATEGY: p}, "over_time": {STRATEGY: [per window or None]},
               "quality": {CONTENDER: mean}}},        of the settled searches; `first` of the first window
     "memory": {"rows", "pairs", "queries", "known": [{"query", "kind", "searches", "pairs": [{"title", "type", "shown", "clicked",
                "expected", "now", "true"}]}]}}

`quality` is the mean nDCG@10 by the relevance for the person who searched, `top3` the clicks expected among the first three results per
hundred searches. The settled searches are the last quarter. `explored` is the share of yes-or-no draws that went against the odds: a
strategy asked at a chance below 1/2, or left out at 1/2 or more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.contenders import LEARNED, RRF
from evaluation.metrics import interval, ndcg, resample
from evaluation.people.listeners import KINDS, Kind, Listener, click_rate
from schemas.decisions import Decision

PAGE = 10
WINDOWS = 20  # points of a line; of a hundred searches at least, fewer are mostly noise
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """One search: what it was for, quality and expected clicks of every contender, and what was drawn for it."""

    kind: Kind
    quality: Mapping[str, float]
    top3: Mapping[str, float]
    chance: Mapping[str, float]
    asked: int
    explored: float


def watch(kind: Kind, pages: Mapping[str, Sequence[str]], relevance: Mapping[str, float], listener: Listener, by: Decision) -> Watched:
    """Judge the pages of all contenders by what the person wanted. Nothing of this reaches the system."""
    top3 = {
        name: sum(click_rate(k, relevance.get(entity, 0.0), patience=listener.patience) for k, entity in enumerate(page[:3], 1))
        for name, page in pages.items()
    }
    against = [arm.asked != (arm.propensity >= 0.5) for arm in by.arms]
    return Watched(
        kind=kind,
        quality={name: ndcg(page, relevance, k=PAGE) for name, page in pages.items()},
        top3=top3,
        chance={arm.name: arm.propensity for arm in by.arms},
        asked=len(by.asked()),
        explored=sum(against) / max(1, len(against)),
    )


def window_of(searches: int) -> int:
    """Searches behind one point of a line."""
    return min(searches, max(100, searches // WINDOWS))


def summary(watched: Sequence[Watched], *, about: Mapping[str, Any], memory: Mapping[str, Any]) -> Figures:
    """All figures of a run. `about` (seed, people, catalogue, queries) and `memory` are passed through."""
    window, settled = window_of(len(watched)), watched[-max(1, len(watched) // 4) :]
    parts = [watched[start : start + window] for start in range(0, len(watched) - window + 1, window)]
    contenders = list(watched[0].quality)
    return {
        **about,
        "searches": len(watched),
        "window": window,
        "settled": len(settled),
        "quality": {name: [_quality(part, name) for part in parts] for name in contenders},
        "top3": {name: [100 * _top3(part, name) for part in parts] for name in contenders},
        "asked": [_mean(part, lambda one: one.asked) for part in parts],
        "explored": [_mean(part, lambda one: one.explored) for part in parts],
        "ahead": _ahead(settled),
        "kinds": {kind: _kind(kind, parts, settled, contenders) for kind in KINDS},
        "memory": dict(memory),
    }


def _mean(part: Sequence[Watched], of: Callable[[Watched], float]) -> float:
    return sum(map(of, part)) / len(part)


def _quality(part: Sequence[Watched], name: str) -> float:
    return _mean(part, lambda one: one.quality[name])


def _top3(part: Sequence[Watched], name: str) -> float:
    return _mean(part, lambda one: one.top3[name])


def _ahead(settled: Sequence[Watched]) -> dict[str, float]:
    """Mean difference of learned and rrf, and its interval; the same searches are drawn for both."""
    both = np.array([(one.quality[LEARNED], one.quality[RRF]) for one in settled])
    drawn = resample(both, np.ones_like(both))
    low, high = interval(drawn[:, 0] - drawn[:, 1]) or (float("nan"), float("nan"))
    return {"mean": float((both[:, 0] - both[:, 1]).mean()), "low": low, "high": high}


def _kind(kind: Kind, parts: Sequence[Sequence[Watched]], settled: Sequence[Watched], contenders: Sequence[str]) -> Figures:
    of_kind = [[one for one in part if one.kind == kind] for part in parts]
    last, strategies = [one for one in settled if one.kind == kind], list(settled[0].chance)

    def chance(some: Sequence[Watched], name: str) -> float | None:
        return _mean(some, lambda one: one.chance[name]) if some else None

    return {
        "searches": len(last),
        "chance": {name: chance(last, name) for name in strategies},
        "first": {name: chance(of_kind[0], name) for name in strategies},
        "over_time": {name: [chance(part, name) for part in of_kind] for name in strategies},
        "quality": {name: _quality(last, name) if last else None for name in contenders},
    }
