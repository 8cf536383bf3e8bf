"""Real-sized events, the same for every run: impressions of ten results with sources and features (about 9 KB), 0.5 actions each."""

import random
from collections.abc import Iterator

from learners.features import ARM_FEATURES
from schemas.codec import encode
from schemas.decisions import Arm, Decision
from schemas.events import Action, Impression, Query, Result, Source
from schemas.ids import digest
from streams.replaying.recording import Line

STRATEGIES = ("dense", "fresh", "lexical", "lexical_title", "memory", "neighbours", "popular", "session", "trigrams", "xmr")
START = 1_700_000_000_000
DAY = 86_400_000


def searches(count: int, *, seed: int = 1, queries: int = 5_000) -> Iterator[Line]:
    """Lines of `count` searches over one day, sorted by time; queries by Zipf's law over `queries`."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(queries)]
    waiting: list[Line] = []
    for number, query in enumerate(rng.choices(range(queries), weights=weights, k=count)):
        time = START + number * DAY // count
        page = impression(rng, number, query, time)
        waiting.append(Line("impressions", time, page.search_id, encode(page)))
        if rng.random() < 0.5:
            result = page.results[min(9, int(rng.expovariate(0.5)))]
            action = Action(action_id=digest("a", number), search_id=page.search_id, ts=time, kind="click", entity_id=result.entity_id)
            waiting.append(Line("actions", time, page.search_id, encode(action)))
    yield from waiting


def impression(rng: random.Random, number: int, query: int, time: int) -> Impression:
    """One page: some six of ten strategies asked, each result found by some of them."""
    arms = [
        Arm(
            name=name, asked=rng.random() < 0.6, propensity=0.6, phi=[256] + [rng.randint(-128, 128) for _ in ARM_FEATURES.names[1:]],
            planned=50, depth=50, returned=50, ms=1.5,
        )
        for name in STRATEGIES
    ]  # fmt: skip
    asked = [arm.name for arm in arms if arm.asked]
    entities = dict.fromkeys(f"product-{(query * 37 + place * place + rng.randint(0, 2)) % 50_000:06d}" for place in range(12))
    results = [
        Result(
            entity_id=entity, entity_type="product", position=place, score=rng.random(),
            sources=[Source(strategy=name, rank=rng.randint(1, 50), score=10 * rng.random()) for name in asked if rng.random() < 0.7],
            features=[rng.randint(-512, 512) for _ in range(40)],
        )
        for place, entity in enumerate(list(entities)[:10], start=1)
    ]  # fmt: skip
    search_id = digest("search", number)
    return Impression(
        search_id=search_id, client_id=digest("client", rng.randint(0, 5_000)), session_id=digest("session", number // 3), ts=time,
        query=Query(text=f"words of query {query}"), results=results, feature_schema=ARM_FEATURES.hash,
        decision=Decision(decision_id=digest("d", number), content_id="0" * 64, seq=1, available=sorted(STRATEGIES), arms=arms),
    )  # fmt: skip
