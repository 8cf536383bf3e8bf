"""Figures of a demo run, as plain data: what was asked, how good the pages were, what memory holds, against the known truth.

    {"seed", "searches", "people", "catalogue": {TYPE: n}, "queries": {KIND: n}, "weights": {STRATEGY: w of the tuned mix},
     "window", "settled", "drift": {"at": searches, "window": of the first after it, "album", "artist"} or None where it never came,
     "quality" | "top3": {CONTENDER: [per window]},
     "asked" | "against" | "outside" | "moved" | "clicks" | "thanks": [per window],
     "minus": {RIVAL: {"mean" | "low" | "high": [per window]}},   learned - rival of nDCG@10, 95 % of a paired normal interval
     "ahead": {RIVAL: {"mean", "low", "high"}},                   over the settled searches, 95 % paired bootstrap
     "kinds" | "groups": {NAME: {"searches", "chance": {STRATEGY: p}, "first": {STRATEGY: p}, "drift": {STRATEGY: p},
               "over_time": {STRATEGY: [per window or None]}, "quality": {CONTENDER: mean}}},
     "places": {"album" | "ready_made": {"on" | "best": [per window or None]}},
     "tried": {"pairs", "known", "examples": [{"query", "title", "type", "how", "clicks"}]},
     "examination": {"true" | "start": [places 1..10], "now": {"curve", "se"} or None},
     "memory": {"rows", "pairs", "queries", "known": [{"query", "kind", "searches", "pairs": [{"title", "type", "shown", "clicked",
                "expected", "now", "true"}]}]}}

`quality` is the mean nDCG@10 by the relevance for the person who searched, `top3` the clicks expected among the first three results per
hundred searches. The settled searches are the last quarter; `chance` and `quality` of a kind are of these, `first` of the first window,
`drift` of the last before the drift. `against` is the share of yes-or-no draws that went against the odds: a strategy asked at a chance
below 1/2, or left out at 1/2 or more. `outside` is the share of results that by score would not stand on the page, `moved` of those that
would stand at another place of it; `clicks` are clicks per search, `thanks` the share of clicks on a pair of query and entity that is
known only because something was tried. `places` are results per page: of the new album (all searches) and of ready-made playlists
(topical searches), and how many the best page there is has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from evaluation.contenders import LEARNED, RIVALS
from evaluation.metrics import interval, ndcg, resample
from evaluation.people.listeners import Listener, click_rate
from evaluation.people.needs import GROUPS, KINDS, Kind
from schemas.decisions import Decision

PAGE = 10
WINDOWS = 40  # points of a line; of a hundred searches at least, fewer are mostly noise
NORMAL = 1.96  # standard errors on both sides of a 95 % interval
Figures = dict[str, Any]
Places = tuple[int, int]  # on the page, on the best page there is


@dataclass(frozen=True, slots=True)
class Watched:
    """One search: what it was for, quality and expected clicks of every contender, and what was drawn for it."""

    kind: Kind
    quality: Mapping[str, float]
    top3: Mapping[str, float]
    chance: Mapping[str, float]
    asked: int
    against: float
    outside: float = 0.0
    moved: float = 0.0
    clicks: int = 0
    thanks: int = 0
    album: Places = (0, 0)
    ready_made: Places = (0, 0)

    @property
    def topical(self) -> bool:
        return self.kind in GROUPS["topical"]


def watch(
    kind: Kind, pages: Mapping[str, Sequence[str]], relevance: Mapping[str, float], listener: Listener, *, by: Decision,
    by_score: Sequence[str] = (), clicks: int = 0, thanks: int = 0, album: frozenset[str] = frozenset(),
    ready_made: frozenset[str] = frozenset(),
) -> Watched:  # fmt: skip
    """Judge the pages of all contenders by what the person wanted. Nothing of this reaches the system."""
    top3 = {
        name: sum(click_rate(k, relevance.get(entity, 0.0), patience=listener.patience) for k, entity in enumerate(page[:3], 1))
        for name, page in pages.items()
    }
    against = [arm.asked != (arm.propensity >= 0.5) for arm in by.arms]
    best = sorted((entity for entity, value in relevance.items() if value > 0.0), key=lambda entity: (-relevance[entity], entity))[:PAGE]
    page = pages[LEARNED][:PAGE]
    return Watched(
        kind=kind,
        quality={name: ndcg(page, relevance, k=PAGE) for name, page in pages.items()},
        top3=top3,
        chance={arm.name: arm.propensity for arm in by.arms},
        asked=len(by.asked()),
        against=sum(against) / max(1, len(against)),
        outside=sum(entity not in by_score for entity in page) / max(1, len(page)),
        moved=sum(entity != other and entity in by_score for entity, other in zip(page, by_score, strict=False)) / max(1, len(page)),
        clicks=clicks,
        thanks=thanks,
        album=(len(album.intersection(page)), len(album.intersection(best))),
        ready_made=(len(ready_made.intersection(page)), len(ready_made.intersection(best))),
    )


def window_of(searches: int) -> int:
    """Searches behind one point of a line."""
    return min(searches, max(100, searches // WINDOWS))


def summary(watched: Sequence[Watched], *, about: Mapping[str, Any], drift: Mapping[str, Any] | None, **passed: Any) -> Figures:
    """All figures of a run. `about` (seed, people, catalogue, queries, weights) and `passed` (tried, examination, memory) pass through.
    `drift` says after how many searches it came."""
    window, settled = window_of(len(watched)), watched[-max(1, len(watched) // 4) :]
    parts = [watched[start : start + window] for start in range(0, len(watched) - window + 1, window)]
    drifted = drift and dict(drift) | {"window": drift["at"] // window}
    before = parts[drifted["window"] - 1] if drifted and drifted["window"] else parts[0]
    contenders = list(watched[0].quality)
    groups: dict[str, Sequence[str]] = {kind: (kind,) for kind in KINDS}
    groups.update(GROUPS.items())
    told = {name: _kind(kinds, parts, settled, before, contenders) for name, kinds in groups.items()}
    return {
        **about,
        "searches": len(watched),
        "window": window,
        "settled": len(settled),
        "drift": drifted,
        "quality": {name: [_quality(part, name) for part in parts] for name in contenders},
        "top3": {name: [100 * _top3(part, name) for part in parts] for name in contenders},
        "asked": [_mean(part, lambda one: one.asked) for part in parts],
        "against": [_mean(part, lambda one: one.against) for part in parts],
        "outside": [_mean(part, lambda one: one.outside) for part in parts],
        "moved": [_mean(part, lambda one: one.moved) for part in parts],
        "clicks": [_mean(part, lambda one: one.clicks) for part in parts],
        "thanks": [sum(one.thanks for one in part) / max(1, sum(one.clicks for one in part)) for part in parts],
        "minus": {rival: _minus(parts, rival) for rival in RIVALS if rival in contenders},
        "ahead": {rival: _ahead(settled, rival) for rival in RIVALS if rival in contenders},
        "kinds": {kind: told[kind] for kind in KINDS},
        "groups": {group: told[group] for group in GROUPS},
        "places": {
            "album": _places(parts, lambda one: one.album),
            "ready_made": _places([[one for one in part if one.topical] for part in parts], lambda one: one.ready_made),
        },
        **passed,
    }


def _mean(part: Sequence[Watched], of: Callable[[Watched], float]) -> float:
    return sum(map(of, part)) / len(part)


def _quality(part: Sequence[Watched], name: str) -> float:
    return _mean(part, lambda one: one.quality[name])


def _top3(part: Sequence[Watched], name: str) -> float:
    return _mean(part, lambda one: one.top3[name])


def difference(part: Sequence[Watched], rival: str) -> tuple[float, float]:
    """Mean of learned - rival, and half the width of its 95 % interval: the same searches are behind both."""
    both = np.array([one.quality[LEARNED] - one.quality[rival] for one in part])
    error = both.std(ddof=1) / np.sqrt(len(both)) if len(both) > 1 else 0.0
    return float(both.mean()), float(NORMAL * error)


def _minus(parts: Sequence[Sequence[Watched]], rival: str) -> Figures:
    told = [difference(part, rival) for part in parts]
    return {
        "mean": [mean for mean, _ in told],
        "low": [mean - half for mean, half in told],
        "high": [mean + half for mean, half in told],
    }


def _ahead(settled: Sequence[Watched], rival: str) -> dict[str, float]:
    """Mean difference of learned and a rival, and its interval; the same searches are drawn for both."""
    both = np.array([(one.quality[LEARNED], one.quality[rival]) for one in settled])
    drawn = resample(both, np.ones_like(both))
    low, high = interval(drawn[:, 0] - drawn[:, 1]) or (float("nan"), float("nan"))
    return {"mean": float((both[:, 0] - both[:, 1]).mean()), "low": low, "high": high}


def _kind(
    kinds: Sequence[str],
    parts: Sequence[Sequence[Watched]],
    settled: Sequence[Watched],
    before: Sequence[Watched],
    contenders: Sequence[str],
) -> Figures:
    of_kind = [[one for one in part if one.kind in kinds] for part in parts]
    last, left = ([one for one in some if one.kind in kinds] for some in (settled, before))
    strategies = list(dict.fromkeys(chain.from_iterable(one.chance for one in (*parts[0][:1], *settled[-1:]))))

    def chance(some: Sequence[Watched], name: str) -> float | None:
        return _mean(some, lambda one: one.chance[name]) if some else None

    return {
        "searches": len(last),
        "chance": {name: chance(last, name) for name in strategies},
        "first": {name: chance(of_kind[0], name) for name in strategies},
        "drift": {name: chance(left, name) for name in strategies},
        "over_time": {name: [chance(part, name) for part in of_kind] for name in strategies},
        "quality": {name: _quality(last, name) if last else None for name in contenders},
    }


def _places(parts: Sequence[Sequence[Watched]], of: Callable[[Watched], Places]) -> Figures:
    return {
        "on": [_mean(part, lambda one: of(one)[0]) if part else None for part in parts],
        "best": [_mean(part, lambda one: of(one)[1]) if part else None for part in parts],
    }
