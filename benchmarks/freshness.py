"""How soon an action is seen: in a subscriber's memory, and in its policy. Worker, publisher and broker on this machine."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from learners.features import ARM_FEATURES
from memory_index.q2e import Reading
from ops.definitions import definition
from schemas.decisions import Arm, Decision
from schemas.events import Action, Impression, Query, Result, Source
from schemas.ids import query_key
from streams.admin import create_topics
from streams.producer import EventProducer
from streams.subscriber import MemorySubscriber, PolicySubscriber

TRIES = 200
PARTITIONS = 4
LIMIT = 30.0  # seconds after which a try has failed


def run(bootstrap: str, folder: Path) -> dict[str, float]:
    """Milliseconds from `EventProducer.action` to the changed answer of a subscriber, p50 and p99 over TRIES searches."""
    create_topics(bootstrap, PARTITIONS)
    with ExitStack() as stack:
        for module, place in (("benchmarks.worker", "worker"), ("benchmarks.publisher", "publisher")):
            stack.enter_context(_process(module, bootstrap, folder / place))
        events = EventProducer(bootstrap, spill=folder / "spill")
        stack.callback(events.close)
        memory = MemorySubscriber(bootstrap, reading=Reading(min_clients=1))
        stack.callback(memory.close)
        policies = PolicySubscriber(bootstrap, start=definition())
        stack.callback(policies.close)
        seen, refreshed = [], []
        for number in range(-3, TRIES):  # the first ones start everything up
            shown = page(number)
            events.impression(shown)
            time.sleep(0.05)
            seq, started = policies.current().seq, time.perf_counter()
            events.action(Action(action_id="click", search_id=shown.search_id, ts=shown.ts, kind="click", entity_id="shown"))
            key = query_key(shown.query.text)
            took = _wait(lambda key=key: memory.current().lookup(key, "", ["shown"])[0].reward > 0, started)
            policy = _wait(lambda seq=seq: policies.current().seq > seq, started)
            if number >= 0:
                seen.append(took)
                refreshed.append(policy)
    return {
        "action_to_memory_p50_ms": float(np.percentile(seen, 50)),
        "action_to_memory_p99_ms": float(np.percentile(seen, 99)),
        "action_to_policy_p50_ms": float(np.percentile(refreshed, 50)),
        "action_to_policy_p99_ms": float(np.percentile(refreshed, 99)),
    }


def page(number: int) -> Impression:
    """A page whose one result a single arm found, so that a click on it changes memory and policy."""
    arm = Arm(name="lexical", asked=True, propensity=0.9, phi=[256] + [0] * (len(ARM_FEATURES.names) - 1), planned=50, depth=50, returned=1)
    return Impression(
        search_id=f"try {number} {time.time_ns()}", ts=time.time_ns() // 1_000_000, client_id=f"client {number}",
        query=Query(text=f"try number {number}"), feature_schema=ARM_FEATURES.hash,
        results=[Result(entity_id="shown", position=1, sources=[Source(strategy="lexical", rank=1, score=1.0)])],
        decision=Decision(decision_id=f"d {number}", content_id="0" * 64, seq=0, available=["lexical"], arms=[arm]),
    )  # fmt: skip


def _wait(done: Callable[[], bool], started: float) -> float:
    while not done():
        if time.perf_counter() - started > LIMIT:
            raise SystemExit(f"nothing changed in {LIMIT} s; see the logs of worker and publisher")
        time.sleep(0.001)
    return (time.perf_counter() - started) * 1_000


@contextmanager
def _process(module: str, bootstrap: str, folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", module, bootstrap, str(folder)], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
