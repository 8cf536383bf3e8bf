"""Tests on the page: a place given to a candidate from outside it, and a pair of neighbours exchanged, each result with its probability.

The ranking is r_1 .. r_n, the first page shows m = min(size, n) of it. Two independent draws, in this order:

    slot  with probability a, if n > size >= 3: r_j, j > size, drawn with probability q_j, moves to place k, uniform over
          K = {3 .. min(10, size)}; r_k .. r_(j-1) move down by one, so r_size opens the next page and nothing is lost or shown twice
    swap  with probability b, if m >= 2: places l and l + 1 are exchanged, l uniform over 1 .. m - 1

    q = 1/2 on the candidate of the highest uncertainty + 1/2 uniform over the strategies that found anything outside the page,
        then uniform over the first 5 of its list that are outside

p is the chance of THIS entity at THIS place. With F(i) = |{k in K: k <= i}| / |K| and W(x, t) = b / (m - 1) for |x - t| = 1,
W(t, t) = 1 - b * (pairs that hold t) / (m - 1):

    from the page      p(r_i at t) = (1 - a F(i)) W(i, t) + a F(i) W(i + 1, t)
    from outside       p(r_j at t) = q_j * a / |K| * sum over k in K of W(k, t)
    on later pages     p(r_j at j) = 1 - a q_j - a Q_j,  p(r_j at j + 1) = a Q_j,  Q_j = sum of q over what is deeper than j
                       p(r_size at size + 1) = a

Shifting costs the page its last result only, while exchanging would cost it the result whose place is taken; and every shifted result is
seen one place lower at random, which is what `learners.examination` learns most from. Later pages draw nothing of their own: they are
slices of the same order.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from learners.definition import PlacementSpec
from learners.draws import uniform
from schemas.candidates import Request

FIRST, LAST = 3, 10  # places a candidate from outside may get: the first two answer most searches and are left alone
OF_STRATEGY = 5  # candidates of one strategy that may come in: enough to vary, few enough to be good ones

Mode = Literal["score", "slot", "swap"]


class Found(Protocol):
    """What placement reads of a ranked entity: who found it, as (strategy, rank from 1, score)."""

    @property
    def found(self) -> Sequence[tuple[str, int, float]]: ...


R = TypeVar("R", bound=Found)


class Placed(NamedTuple, Generic[R]):
    """One result in its place: how it came there, and the probability that it stood there. `mode` and `p` are logged as `Placement`.

    A candidate from outside is `slot` even where it was exchanged; the other one of the pair is `swap`.
    """

    one: R
    mode: Mode
    p: float

    @property
    def team(self) -> Literal[""]:
        """Nobody's: the page is of one policy."""
        return ""


class Chances(NamedTuple):
    """Probabilities of places (index 0 is place 1) that depend on nothing but the shape of the page.

    `moves[i][t]`: of the i-th of the ranking at place t, t one beyond the page included. `stays` is its diagonal. `enters[t]`: of a
    candidate from outside, given that it would be the one to come in.
    """

    moves: list[list[float]]
    stays: list[float]
    enters: list[float]


def place(request: Request, ranked: Sequence[R], *, spec: PlacementSpec, salt: str, uncertainty: Callable[[R], float]) -> list[Placed[R]]:
    """The results of the requested page in order of place. A function of its arguments: draws are by salt and search_id.

    `ranked` is the whole union, best first, each entity once; every page of a search must come with the same ranking and `size`.
    `uncertainty` (posterior sd of one candidate) is only called when a candidate from outside is needed.
    """
    size, n = request.size, len(ranked)
    shown, slot = min(size, n), spec.slot if n > size >= FIRST else 0.0
    chances = chances_of(slot, spec.swap, shown)
    entering = slot > 0.0 and uniform("slot", salt, request.search_id, "enter") < slot
    swapping = shown > 1 and spec.swap > 0.0 and uniform("swap", salt, request.search_id, "exchange") < spec.swap
    if request.page == 1 and not entering and not swapping:
        return [Placed(one, "score", p) for one, p in zip(ranked, chances.stays, strict=False)]

    q = draw_of(ranked[size:], uncertainty) if entering or (slot and request.page > 1) else []
    order, modes = list(range(n)), dict[int, Mode]()
    if swapping:
        upper = int(uniform("swap", salt, request.search_id, "pair") * (shown - 1))
    if entering:
        at = FIRST - 1 + int(uniform("slot", salt, request.search_id, "place") * (min(LAST, size) - FIRST + 1))
        chosen = size + _drawn(q, uniform("slot", salt, request.search_id, "candidate"))
        order.insert(at, order.pop(chosen))
    if swapping:
        order[upper], order[upper + 1] = order[upper + 1], order[upper]
        modes = {order[upper]: "swap", order[upper + 1]: "swap"}
    if entering:
        modes[chosen] = "slot"
    first = (request.page - 1) * size
    return [
        Placed(ranked[rank], modes.get(rank, "score"), _chance(rank, at, chances, q=q, slot=slot))
        for at, rank in enumerate(order[first : first + size], first)
    ]


@lru_cache(maxsize=1024)
def chances_of(slot: float, swap: float, shown: int) -> Chances:
    """The closed form for a page of `shown` results: the slot's moves, then the swap's. `slot` is 0 where nobody can come in."""
    m, low = shown, FIRST - 1
    if m == 0:
        return Chances([], [], [])
    exchange = np.eye(m + 1)
    for upper in range(m - 1):
        pair = swap / (m - 1)
        exchange[upper, upper + 1] = exchange[upper + 1, upper] = pair
        exchange[upper, upper] -= pair
        exchange[upper + 1, upper + 1] -= pair
    places = np.zeros(m + 1)
    if slot:
        places[low : min(LAST, m)] = slot / (min(LAST, m) - low)
    shifted = np.cumsum(places)[:m]
    shift = np.zeros((m, m + 1))
    shift[range(m), range(m)] = 1.0 - shifted
    shift[range(m), range(1, m + 1)] = shifted
    moves = np.clip(shift @ exchange, 0.0, 1.0)
    return Chances(moves.tolist(), np.diagonal(moves).tolist(), (places @ exchange).tolist())


def draw_of(outside: Sequence[R], uncertainty: Callable[[R], float]) -> list[float]:
    """q of every candidate outside the page, in order; sums to 1. Ties of uncertainty go to the better ranked."""
    sd = [uncertainty(one) for one in outside]
    lists: dict[str, list[tuple[int, int]]] = {}
    for index, one in enumerate(outside):
        for name, rank, _ in one.found:
            lists.setdefault(name, []).append((rank, index))
    q = [0.0] * len(outside)
    q[sd.index(max(sd))] = 0.5 if lists else 1.0
    for name in sorted(lists):
        best = sorted(lists[name])[:OF_STRATEGY]
        for _, index in best:
            q[index] += 0.5 / (len(lists) * len(best))
    return q


def _drawn(q: Sequence[float], u: float) -> int:
    """The index at which the running sum of q passes u; rounding at the end falls on the last that can be drawn."""
    total, last = 0.0, 0
    for index, p in enumerate(q):
        if p > 0.0:
            total, last = total + p, index
            if u < total:
                break
    return last


def _chance(rank: int, at: int, chances: Chances, *, q: Sequence[float], slot: float) -> float:
    """p of the result `rank` of the ranking at place `at`, both from 0."""
    shown = len(chances.moves)
    if rank < shown:
        return chances.moves[rank][at]
    if at < shown:
        return q[rank - shown] * chances.enters[at]
    if not slot:
        return 1.0
    deeper = slot * sum(q[rank - shown + 1 :])
    return min(1.0, deeper if at > rank else 1.0 - slot * q[rank - shown] - deeper)
