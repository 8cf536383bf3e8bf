"""What finals say about positions: tables of how often a result stood at each place, and how often it was acted on there.

Three tables, one for each way to learn where people look (`learners.examination`). A row of a table is a group of showings whose mean
relevance does not hang on the place they were shown at; within it, action rates are examination times a constant.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.finals import MODES, Final
from learners.ranking.placement import LAST

LEAST_P = 1e-4  # no test of ours is rarer: a showing counts 1/p, and a broken log must not outweigh all others
POSITIONS = 20  # examination is told apart up to here

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]


class Table(NamedTuple):
    """Showings and acted-on showings, both (groups, POSITIONS); only groups that were acted on and stood at two places or more."""

    shown: Reals
    acted: Reals


class Shown(NamedTuple):
    """Every shown result of all finals, one after the other; `search` is the number of its final, `position` counts from 1."""

    search: Ints
    position: Ints
    acted: NDArray[np.bool_]
    viewed: NDArray[np.bool_]
    mode: Ints
    p: Reals


def shown_of(finals: Sequence[Final]) -> Shown:
    """The shown results of the finals. Acted on = rewarded, by whatever kind of action."""
    if not finals:
        none = np.zeros(0, dtype=np.int64)
        return Shown(none, none, none > 0, none > 0, none, none.astype(np.float64))
    search = np.repeat(np.arange(len(finals)), [len(one.positions) for one in finals])
    position = np.concatenate([one.positions for one in finals])
    on_page = position > 0
    return Shown(
        search[on_page],
        position[on_page].astype(np.int64),
        np.concatenate([one.rewards for one in finals])[on_page] > 0,
        np.concatenate([one.viewed for one in finals])[on_page],
        np.concatenate([one.modes for one in finals])[on_page].astype(np.int64),
        np.concatenate([one.probabilities for one in finals])[on_page].astype(np.float64),
    )


def bases_of(shown: Shown) -> Ints:
    """The place in the ranking that each result had before placement moved it; 0 where that is not known: what came in from outside,
    positions after the slots, pages without placement and pages whose modes are not those of `learners.ranking.placement`. A page of two
    teams comes from two rankings: what stood third may be the first of one and the ninth of the other, so places there say nothing."""
    searches = int(shown.search[-1]) + 1 if len(shown.search) else 0

    def per_search(of: NDArray[np.bool_], power: int = 0) -> Ints:
        return np.bincount(shown.search, weights=of * shown.position**power, minlength=searches).astype(np.int64)

    slot, swap = shown.mode == MODES["slot"], shown.mode == MODES["swap"]
    slots, at = per_search(slot), per_search(slot, 1)
    swaps, total, squares = per_search(swap), per_search(swap, 1), per_search(swap, 2)
    beside = (swaps == 1) & (slots == 1)  # the other one of the pair came in from outside, and is logged as `slot`
    upper = np.where(beside, np.minimum(total, at), (total - 1) // 2)
    pair = np.where(beside, abs(total - at) == 1, (swaps == 2) & (squares == upper**2 + (upper + 1) ** 2))
    known = (slots <= 1) & (pair | (swaps == 0)) & (per_search(shown.mode == MODES["team"]) == 0)

    exchanged = pair[shown.search] & ((shown.position == upper[shown.search]) | (shown.position == upper[shown.search] + 1))
    before = np.where(exchanged, 2 * upper[shown.search] + 1 - shown.position, shown.position)
    entered = np.where(pair & ((at == upper) | (at == upper + 1)), 2 * upper + 1 - at, at)  # place of the slot before the exchange
    base = before - ((slots > 0)[shown.search] & (before > entered[shown.search]))
    return np.where(known[shown.search] & ~slot & (shown.position <= LAST) & (shown.p < 1.0) & (shown.p >= LEAST_P), base, 0)


def moved_table(shown: Shown, bases: Ints) -> Table:
    """Intervention harvesting (Agarwal et al. 2019): group = place in the ranking, whatever place chance gave the result.

    Each showing counts 1/p, so that all places speak of the same searches; a cell's weight is its effective number (sum w)^2 / sum w^2,
    and its rate sum(w acted) / sum(w). With one probability for the cell these are the plain counts.
    """
    use = bases > 0
    cell, weight = bases[use] * POSITIONS + shown.position[use] - 1, 1.0 / shown.p[use]
    count = (LAST + 2) * POSITIONS  # a result at place 10 may have been exchanged with the one below
    sums, squares, acted = (np.bincount(cell, weights=w, minlength=count) for w in (weight, weight**2, weight * shown.acted[use]))
    effective = np.divide(sums**2, squares, out=np.zeros(count), where=sums > 0.0)
    rate = np.divide(acted, sums, out=np.zeros(count), where=sums > 0.0)
    return _useful(effective, effective * rate)


def viewed_table(shown: Shown, finals: Sequence[Final]) -> Table:
    """Searches of applications that send `viewed`: one group, "acted on" being seen. What was acted on was seen."""
    use = np.fromiter((one.has_viewed for one in finals), dtype=np.bool_, count=len(finals))[shown.search]
    use &= shown.position <= POSITIONS
    at = shown.position[use] - 1
    seen = (shown.viewed | shown.acted)[use]
    return _useful(np.bincount(at, minlength=POSITIONS), np.bincount(at, weights=seen, minlength=POSITIONS))


def pairs_table(shown: Shown, finals: Sequence[Final], bases: Ints) -> Table:
    """The position-based model (Richardson et al. 2007): group = (query, entity). What placement moved is left to `moved_table`.

    Only pages that no policy of ours ranked: where a ranking follows clicks, a pair that was clicked by luck far below is the one that is
    seen again, higher, and clicked less than it promised. Simulated, such a ranking makes a curve of 1/place nearly flat.
    """
    outside = [not one.rank_version for one in finals]
    rows = np.array(outside, dtype=np.bool_)[shown.search]
    search, position, base, acted = shown.search[rows], shown.position[rows], bases[rows], shown.acted[rows]
    queries: dict[str, int] = {}
    entities: dict[str, int] = {}
    query = np.array([queries.setdefault(one.query_key, len(queries)) for one in finals], dtype=np.int64)
    names = chain.from_iterable(one.entities[: np.count_nonzero(one.positions)] for one, use in zip(finals, outside, strict=True) if use)
    entity = np.array([entities.setdefault(name, len(entities)) for name in names], dtype=np.int64)
    key = query[search] * max(1, len(entities)) + entity
    use = ((base == 0) | (base == position)) & (position <= POSITIONS)
    groups = np.unique(key[use & acted])  # a pair that nobody acted on says nothing about places
    if not len(groups):
        return _useful(np.zeros(0), np.zeros(0))
    group = np.minimum(np.searchsorted(groups, key), len(groups) - 1)
    use &= groups[group] == key
    cell, count = group[use] * POSITIONS + position[use] - 1, len(groups) * POSITIONS
    return _useful(np.bincount(cell, minlength=count), np.bincount(cell, weights=acted[use], minlength=count))


def _useful(shown: NDArray[Any], acted: NDArray[Any]) -> Table:
    grid, hits = shown.reshape(-1, POSITIONS).astype(np.float64), acted.reshape(-1, POSITIONS).astype(np.float64)
    use = ((grid > 0.0).sum(axis=1) > 1) & (hits.sum(axis=1) > 0.0)
    return Table(grid[use], hits[use])
