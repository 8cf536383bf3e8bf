"""People who search: what they like, how far they read, what they click. Known exactly, which real people never are.

    P(click at position k) = k^-0.7 * relevance for k up to the person's patience, else 0; each position on its own

Queries of one kind follow Zipf's law: the k-th most frequent is typed k^-1 as often as the first. Position bias and its exponent are of
the size measured in web search: Joachims et al. (2005); Wang et al. (2018), "Position bias estimation for unbiased learning to rank".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from evaluation.people.drift import Drift, World
from evaluation.people.names import GENRES
from evaluation.people.needs import KINDS, Need, Needs, needs_of

POSITION_BIAS, ZIPF = 0.7, 1.0
LISTENERS = 400
LOVED = 3  # genres; what they think of the others lies between the bounds
OTHER_GENRE = (0.3, 0.8)
PATIENCE = (3, 10)  # results that a person reads at most


@dataclass(frozen=True, slots=True)
class Listener:
    """A person: how much they like each genre, in [0, 1], and how many results they read at most."""

    client_id: str
    taste: Mapping[str, float]
    patience: int


@dataclass(frozen=True)
class People:
    """Everybody who searches, and what is searched for before the drift and after it."""

    listeners: Sequence[Listener]
    worlds: tuple[World, World]
    needs: tuple[Needs, Needs]

    def search(self, rng: Random, era: int) -> tuple[Listener, Need]:
        """Who searches next, and for what. `era`: 0 before the drift, 1 after."""
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        some = self.needs[era][kind]
        weights = accumulate(rank**-ZIPF for rank in range(1, len(some) + 1))
        return rng.choice(self.listeners), rng.choices(some, cum_weights=list(weights))[0]

    def relevance(self, listener: Listener, need: Need) -> dict[str, float]:
        """Entity -> relevance for this person; what is not in it is of no use to them."""
        if not need.by_taste:
            return dict(need.relevant)
        works = self.worlds[1].works
        return {entity: value * listener.taste.get(works[entity].genre, 1.0) for entity, value in need.relevant.items()}

    def examined(self, position: int) -> float:
        """The share of people who look at a result there: the curve that has to be learned."""
        return sum(examination(position, one.patience) for one in self.listeners) / len(self.listeners)


def examination(position: int, patience: int) -> float:
    """Probability that a person looks at a position (from 1)."""
    return float(position**-POSITION_BIAS) if position <= patience else 0.0


def click_rate(position: int, relevance: float, *, patience: int) -> float:
    """Probability of a click on a result of that relevance at a position (from 1).

    >>> click_rate(1, 0.8, patience=5), round(click_rate(4, 0.8, patience=5), 4), click_rate(6, 0.8, patience=5)
    (0.8, 0.3031, 0.0)
    """
    return examination(position, patience) * relevance


def clicks(ranked: Sequence[str], relevance: Mapping[str, float], *, patience: int, rng: Random) -> list[tuple[int, str]]:
    """(position, entity) of what is clicked on a page. One draw a position, clicked or not: equal pages are clicked alike."""
    draws = [(position, entity, rng.random()) for position, entity in enumerate(ranked, 1)]
    return [(k, entity) for k, entity, draw in draws if draw < click_rate(k, relevance.get(entity, 0.0), patience=patience)]


def people(drift: Drift, seed: int) -> People:
    """The listeners and needs of a seed."""
    rng = Random(f"people {seed}")
    listeners = []
    for number in range(1, LISTENERS + 1):
        loved = rng.sample(GENRES, LOVED)
        taste = {genre: 1.0 if genre in loved else round(rng.uniform(*OTHER_GENRE), 2) for genre in GENRES}
        listeners.append(Listener(f"listener-{number:03}", taste, rng.randint(*PATIENCE)))
    worlds = (drift.before, drift.after)
    return People(listeners, worlds, (needs_of(worlds[0], seed), needs_of(worlds[1], seed)))
