"""The load of the fault runs: a LOG of real-sized searches with everything that goes wrong in one, and the thread that sends it."""

import random
import threading
import time
from collections.abc import Iterator, Sequence

from kafka import KafkaProducer

from learners.features import ARM_FEATURES
from schemas.codec import decode_event, encode
from schemas.decisions import Arm, Decision
from schemas.errors import InvalidMessage
from schemas.events import Action, Impression, Query, Result, Source
from schemas.ids import digest
from schemas.topics import ACTIONS, IMPRESSIONS
from streams.clients import connect
from streams.kernel.changes import INPUTS, Input
from streams.replaying.recording import Line
from streams.replaying.replay import Placed

TOPICS = {"impressions": IMPRESSIONS.name, "actions": ACTIONS.name}
START = 1_700_000_000_000
SECOND, MINUTE = 1_000, 60_000
SPAN = 180 * MINUTE  # of event time: searches settle, and windows end, all along the run
STRATEGIES = ("dense", "lexical", "memory", "popular", "title")
KINDS = ("click", "click", "click", "play", "add_to_cart", "viewed")


def searches(count: int, *, seed: int = 1) -> list[Line]:
    """Lines of `count` searches in order of time, some 0.6 actions each; the same for every call."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(300)]
    queries = rng.choices(range(300), weights=weights, k=count)
    lines = [line for number, query in enumerate(queries) for line in _search(rng, number, query, START + number * SPAN // count)]
    return sorted(lines, key=lambda line: line.time)


def _search(rng: random.Random, number: int, query: int, at: int) -> Iterator[Line]:
    page = _page(rng, digest("search", number), query, at)
    yield from _maybe_twice(rng, line_of(page, at))
    if rng.random() < 0.06:
        later = at + rng.randrange(MINUTE, 15 * MINUTE)
        more = _page(rng, page.search_id, query + 7, later, decision=page.decision, first=11)
        yield line_of(more.model_copy(update={"page": 2, "client_id": page.client_id}), later)
    if rng.random() < 0.005:  # a page that says its search was decided otherwise
        yield line_of(_page(rng, page.search_id, query, at).model_copy(update={"page": 3}), at + 5 * SECOND)
    if rng.random() < 0.01:
        yield broken_line(rng.choice(INPUTS), at, _broken(rng, encode(page)))
    for nth in range(rng.choice((0, 0, 0, 1, 1, 2))):
        yield from _acts(rng, page, nth, at)


def _acts(rng: random.Random, page: Impression, nth: int, at: int) -> Iterator[Line]:
    """One action: soon after its page, at times before it, after its final, after its window, or of a search that never was."""
    soon, before = rng.randrange(SECOND, 8 * MINUTE), -rng.randrange(SECOND, 3 * MINUTE)
    late, too_late = rng.randrange(12, 29) * MINUTE, rng.randrange(31, 60) * MINUTE
    delay = rng.choices((soon, before, late, too_late), weights=(92, 3, 4, 1))[0]
    entity = page.results[min(9, int(rng.expovariate(0.4)))].entity_id if rng.random() < 0.97 else "nowhere"
    search = page.search_id if rng.random() < 0.98 else digest("unknown", page.search_id)
    act = Action(action_id=str(nth), search_id=search, ts=at + delay, kind=rng.choice(KINDS), entity_id=entity)
    yield from _maybe_twice(rng, line_of(act, at + delay))
    if rng.random() < 0.01:  # the same id, something else done
        yield line_of(act.model_copy(update={"entity_id": page.results[0].entity_id, "kind": "like"}), at + delay + 20 * SECOND)


def _maybe_twice(rng: random.Random, line: Line) -> Iterator[Line]:
    yield line
    if rng.random() < 0.02:
        yield line._replace(time=line.time + rng.randrange(20 * MINUTE))


def line_of(event: Impression | Action, at: int) -> Line:
    return Line("impressions" if isinstance(event, Impression) else "actions", at, event.search_id, encode(event))


def _page(
    rng: random.Random, search: str, query: int, at: int, *, decision: Decision | None = None, first: int = 1
) -> Impression:  # fmt: skip
    if decision is None and rng.random() < 0.95:
        decision = _decision(rng, search)
    asked = sorted(decision.asked()) if decision else ["popular"]
    entities = list(dict.fromkeys(f"product-{(query * 37 + place * place + rng.randint(0, 1)) % 9_000:05d}" for place in range(14)))[:10]
    results = [
        Result(
            entity_id=entity, entity_type="product", position=first + place, score=round(rng.random(), 6),
            sources=[_source(rng, name) for name in asked if rng.random() < 0.6],
            features=[rng.randint(-500, 500) for _ in range(6)],
        )
        for place, entity in enumerate(entities)
    ]  # fmt: skip
    return Impression(
        search_id=search, client_id=f"client-{rng.randrange(600)}", session_id=search[:8], ts=at, query=Query(text=f"some words {query}"),
        decision=decision, feature_schema=ARM_FEATURES.hash if decision else "", results=results,
    )  # fmt: skip


def _source(rng: random.Random, name: str) -> Source:
    return Source(strategy=name, rank=rng.randint(1, 50), score=round(10 * rng.random(), 4))


def _decision(rng: random.Random, search: str) -> Decision:
    asked = {name for name in STRATEGIES if rng.random() < 0.6} or {"lexical"}
    arms = [
        Arm(
            name=name, asked=name in asked, propensity=0.6, phi=[256] + [rng.randint(-128, 128) for _ in ARM_FEATURES.names[1:]],
            planned=50, depth=50, returned=rng.randint(0, 50) if name in asked else 0, status="ok" if name in asked else "not_asked",
        )
        for name in STRATEGIES
    ]  # fmt: skip
    return Decision(
        decision_id=digest("d", search, rng.random()), content_id="c" * 32, seq=1, available=list(STRATEGIES), arms=arms, salt="s"
    )


def broken_line(topic: Input, at: int, value: bytes) -> Line:
    """Keyed by its bytes unless it can be read: a quarantined message counts once by them, in its partition."""
    try:
        key = decode_event(value).search_id
    except (InvalidMessage, AttributeError):
        key = digest(value or b"")
    return Line(topic, at, key, value)


def _broken(rng: random.Random, good: bytes) -> bytes:
    """What no decoder may let pass, and nothing may end a worker for."""
    return rng.choice((good[: rng.randrange(1, 200)], b"\xff\xfe" + good[:20], good.replace(b'"ts":', b'"ts":9'), b"[]", b"null", b"{}"))


class Load(threading.Thread):
    """Sends records in their order, spread over `seconds`, over any outage of the broker: nothing is lost or reordered.

    A batch whose acknowledgement was lost comes twice, right after itself: facts count once, and times do not step back.
    """

    def __init__(self, bootstrap: str, records: Sequence[Placed], seconds: float) -> None:
        super().__init__(name="load", daemon=True)
        self._records, self._seconds = records, seconds
        self._producer = connect(
            KafkaProducer, bootstrap, enable_idempotence=False, acks="all", max_in_flight_requests_per_connection=1, retries=2**31 - 1,
            max_request_size=2**25, request_timeout_ms=5_000, delivery_timeout_ms=300_000, linger_ms=5, batch_size=64 * 1024,
            compression_type="gzip",
        )  # fmt: skip
        self.failed: list[BaseException] = []
        self.sent = 0
        self.ended = 0.0  # wall seconds at which the broker had acknowledged everything
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        try:
            for number, one in enumerate(self._records):
                early = began + number * self._seconds / len(self._records) - time.monotonic()
                if early > 0.005:
                    time.sleep(early)
                self._producer.send(
                    TOPICS[one.topic], key=None if one.key is None else one.key.encode(), value=one.value, partition=one.partition,
                    timestamp_ms=one.time,
                ).add_errback(self.failed.append)  # fmt: skip
                self.sent += 1
            self._producer.flush(120)
        except Exception as error:
            self.failed.append(error)
        self.ended = time.time()
        self._producer.close(timeout=10)
