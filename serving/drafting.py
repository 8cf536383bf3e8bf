"""Team-draft interleaving (Radlinski, Kurup and Joachims 2008): two orders pick in turn, and a coin each round says who picks first.

Each pick is the best of one's order that is not picked yet. Two kinds of places are no team's. Where both would begin a round with the
same entity, it stands there for both: a coin would give its clicks to either, which says nothing and is half of all noise where orders
agree. And when either has nothing left, what the other still has follows: an order that is longer would else win by its length.

What is picked is always the best i of one order and the best j of the other, so after t picks there are at most t + 1 states to tell
apart, and the chances are exact sums over them, for pages of any size.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Team = Literal["", "a", "b"]
COIN = 0.5


class _State(NamedTuple):
    """Everything before `a` and `b` (indices into the orders) is picked; `turn`: whose pick it is, "" at the beginning of a round."""

    a: int
    b: int
    turn: Team


class _Pick(NamedTuple):
    entity_id: str
    team: Team
    then: _State


class _Orders:
    """Two orders, each entity once in each."""

    def __init__(self, a: Sequence[str], b: Sequence[str]) -> None:
        self._a, self._b = a, b
        self._in_a = {entity_id: rank for rank, entity_id in enumerate(a)}
        self._in_b = {entity_id: rank for rank, entity_id in enumerate(b)}

    def picks(self, at: _State) -> list[_Pick]:
        """What can be picked next: two at the beginning of a round, a's first; else one; none at the end."""
        if at.turn:  # who picks second has something left: what both would have begun with is nobody's
            return [self._picked(at, at.turn, "")]
        a_left, b_left = at.a < len(self._a), at.b < len(self._b)
        if a_left and b_left and self._a[at.a] != self._b[at.b]:
            return [self._picked(at, "a", "b"), self._picked(at, "b", "a")]
        return [self._picked(at, "a" if a_left else "b", "")._replace(team="")] if a_left or b_left else []

    def _picked(self, at: _State, team: Team, turn: Team) -> _Pick:
        entity_id = self._a[at.a] if team == "a" else self._b[at.b]
        a, b = (at.a + 1, at.b) if team == "a" else (at.a, at.b + 1)
        while a < len(self._a) and self._in_b.get(self._a[a], b) < b:
            a += 1
        while b < len(self._b) and self._in_a.get(self._b[b], a) < a:
            b += 1
        return _Pick(entity_id, team, _State(a, b, turn))


def draft(a: Sequence[str], b: Sequence[str], *, coin: Callable[[int], bool], most: int) -> list[tuple[str, Team]]:
    """The first `most` places: who stands there, and who picked it. `coin(place)`, from 0: whether `a` begins the round.

    >>> draft(["v", "x", "y", "z"], ["v", "y", "w"], coin=lambda place: place == 1, most=10)
    [('v', ''), ('x', 'a'), ('y', 'b'), ('w', 'b'), ('z', 'a')]
    """
    orders, at, out = _Orders(a, b), _State(0, 0, ""), list[tuple[str, Team]]()
    while len(out) < most and (picks := orders.picks(at)):
        pick = picks[0] if len(picks) == 1 or coin(len(out)) else picks[1]
        out.append((pick.entity_id, pick.team))
        at = pick.then
    return out


def chances(a: Sequence[str], b: Sequence[str], *, most: int) -> list[dict[str, float]]:
    """Of the first `most` places: the chance of each entity that can stand there. They add up to 1.

    >>> chances(["x", "y"], ["y", "x"], most=2)
    [{'x': 0.5, 'y': 0.5}, {'y': 0.5, 'x': 0.5}]
    """
    orders, states, out = _Orders(a, b), {_State(0, 0, ""): 1.0}, list[dict[str, float]]()
    for _ in range(most):
        here, then = defaultdict[str, float](float), defaultdict[_State, float](float)
        for at, p in states.items():
            picks = orders.picks(at)
            for pick in picks:
                share = p if len(picks) == 1 else p * COIN
                here[pick.entity_id] += share
                then[pick.then] += share
        if not here:
            break
        states = then
        out.append(dict(here))
    return out
