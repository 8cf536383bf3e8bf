"""Finals of invented people whose examination curve is known."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from learners.definition import PlacementSpec
from learners.finals import MODES, Final
from learners.ranking.placement import place
from tests.learners.requests import request

CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1/k": lambda k: 1.0 / k,
    "k^-0.7": lambda k: k**-0.7,
    "exponential": lambda k: np.exp(-0.3 * (k - 1.0)),
    "flat": lambda k: np.ones_like(k),
}
SIZE = 10
PLACES = np.arange(1.0, SIZE + 1.0)
BOTH = PlacementSpec(slot=0.1, swap=0.1)
SWAPS = PlacementSpec(slot=0.0, swap=0.1)
OFF = PlacementSpec(slot=0.0, swap=0.0)


class Item(NamedTuple):
    entity_id: str
    number: int
    found: tuple[tuple[str, int, float], ...]


def final_of(number, query, entities, *, acted, viewed=None, modes=None, p=None, first=1, rank_version=""):
    """One final with its results at places first, first + 1, ..."""
    n = len(entities)
    return Final(
        final_id=f"f{number:06}",
        time=0,
        query_key=query,
        segment="",
        client="",
        rank_version=rank_version,
        entities=tuple(entities),
        positions=np.arange(first, first + n, dtype=np.int32),
        features=np.zeros((n, 0), dtype=np.int16),
        rewards=np.asarray(acted, dtype=np.int32) * 256,
        viewed=np.zeros(n, dtype=np.bool_) if viewed is None else np.asarray(viewed, dtype=np.bool_),
        modes=np.zeros(n, dtype=np.int8) if modes is None else np.asarray(modes, dtype=np.int8),
        probabilities=np.ones(n, dtype=np.float32) if p is None else np.asarray(p, dtype=np.float32),
        off_page={},
        has_viewed=viewed is not None,
    )


def clicks_by_position(theta):
    """People who examine place t with probability theta_t, whatever they saw before, and click what is relevant."""

    def clicks(draws, relevance):
        seen = draws[0] < theta[: len(relevance)]
        return seen, seen & (draws[1] < relevance)

    return clicks


def clicks_in_cascade(patience):
    """People who read from the top, leave at the first click, and otherwise go on with probability `patience`."""

    def clicks(draws, relevance):
        wanted, leaves = draws[1] < relevance, draws[0] >= patience
        last = int(np.argmax(np.append(wanted | leaves, True)))  # the place at which reading ends
        seen = np.arange(len(relevance)) <= last
        return seen, seen & wanted

    return clicks


def simulate(clicks, searches, *, seed=1, spec=BOTH, queries=300, noise=0.0, ranker="outside", viewed=False):
    """Searches over Zipf queries of 16 candidates whose ranking agrees in part with what people like.

    `noise` shuffles each ranking anew. `ranker` "outside" knows nothing of clicks; "ours" follows them (posterior mean under 1/place,
    prior of weight 4).
    """
    rng = np.random.default_rng(seed)
    popular = 1.0 / np.arange(1.0, queries + 1.0)
    relevance = np.clip(rng.beta(0.6, 2.4, (queries, 16)), 0.01, 0.9)
    belief = np.log(relevance) + rng.normal(0.0, 1.0, relevance.shape)
    items = [Item(f"e{at:02}", at, (("dense", at + 1, 1.0), ("lexical", at + 1, 1.0))) for at in range(16)]
    reward, weight = 0.4 / (1.0 + np.exp(-belief)), np.full_like(belief, 4.0)
    asked = rng.choice(queries, searches, p=popular / popular.sum())
    shuffles, draws = noise * rng.normal(size=(searches, 16)), rng.random((searches, 2, SIZE))
    out = []
    for number, query in enumerate(asked.tolist()):
        score = reward[query] / weight[query] if ranker == "ours" else belief[query]
        ranked = [items[at] for at in np.argsort(-(score + shuffles[number]), kind="stable")]
        placed = place(request(search_id=f"{seed}-{number}", size=SIZE), ranked, spec=spec, salt="s", uncertainty=lambda one: -one.number)
        at = [one.one.number for one in placed]
        seen, acted = clicks(draws[number], relevance[query, at])
        reward[query, at] += acted
        weight[query, at] += 1.0 / PLACES
        out.append(
            final_of(
                number,
                f"q{query}",
                [one.one.entity_id for one in placed],
                acted=acted,
                viewed=seen if viewed else None,
                modes=[MODES[one.mode] for one in placed],
                p=[one.p for one in placed],
                rank_version="" if ranker == "outside" else "fusion-1",
            )
        )
    return out
