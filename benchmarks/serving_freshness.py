"""How soon a click is seen over HTTP: from POST /events to the changed answer of GET /memory, and to the next search's score.

    python -m benchmarks.serving_freshness DIR [--kafka HOST:PORT]

Embedded: the whole loop in the service's process. On Kafka: one worker with its publisher and the service, the broker on this machine,
topics made here. Other people search meanwhile, RATE a second.
"""

import argparse
import json
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.processes import running
from benchmarks.service import call, click, service
from evaluation.datasets.folder import Dataset
from streams.admin import create_topics

TRIES, RATE = 200, 10.0
PARTITIONS = 4
LIMIT = 60.0  # s after which a try has failed; the worker starts meanwhile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a dataset folder with entities and queries")
    parser.add_argument("--kafka", default="", help="address of a broker without topics; default: embedded")
    words = parser.parse_args()
    texts = [query.text for query in Dataset(words.folder).queries()]
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        data, options = Path(temporary), list[str]()
        if words.kafka:
            create_topics(words.kafka, PARTITIONS)
            os.environ["FORAGE_DATA_DIR"] = str(data)  # the worker's files go with the bench
            options += ["--kafka", "--bootstrap", words.kafka]
            stack.enter_context(running("ops.cli", ["worker", "--bootstrap", words.kafka, "--instance", "bench"], data / "worker.log"))
        url, _ = stack.enter_context(service(words.folder, data, options=options))
        stopped = threading.Event()
        others = threading.Thread(target=_others, args=(url, texts, stopped))
        others.start()
        try:
            found = [_try(url, text, number) for number, text in enumerate(texts[: TRIES + 3])][3:]
        finally:
            stopped.set()
            others.join()
    figures = {name: float(np.percentile([one[at] for one in found], p)) for at, what in enumerate(("memory", "score")) for name, p in
               ((f"click_to_{what}_p50_ms", 50), (f"click_to_{what}_p99_ms", 99))}  # fmt: skip
    print(json.dumps({"mode": "kafka" if words.kafka else "embedded", **figures}))


def _try(url: str, text: str, number: int) -> tuple[float, float]:
    """Ms until memory tells of a click, and until a search made then has answered with another score of the item. Of the second person who
    clicks, as one alone moves none. Searches are not repeated: each one counts as a view."""
    bodies = [{"query": text, "client_id": f"clicker-{number}-{one}", "explore": False} for one in range(2)]
    first, second = (call(url, "/search", body) for body in bodies)
    if not second["results"]:
        return _try(url, "a", number)
    shown = {one["entity_id"]: one for one in first["results"]}
    chosen = next(one for one in second["results"] if one["entity_id"] in shown)
    click(url, bodies[0], first | {"results": [shown[chosen["entity_id"]]]}, random.Random(number))

    def clicks() -> int:
        return sum(one["acted"].get("click", 0) for one in _remembered(url, text) if one["entity_id"] == chosen["entity_id"])

    def score() -> float:
        return sum(one["score"] for one in call(url, "/search", bodies[1])["results"] if one["entity_id"] == chosen["entity_id"])

    _until(time.perf_counter(), lambda: clicks() >= 1)
    before, began = score(), time.perf_counter()
    click(url, bodies[1], second | {"results": [chosen]}, random.Random(number))
    memory = _until(began, lambda: clicks() >= 2)
    if score() == before:
        raise SystemExit(f"memory tells of two clicks on {chosen['entity_id']} under {text!r}, its score is what it was")
    return memory, (time.perf_counter() - began) * 1_000


def _remembered(url: str, text: str) -> Sequence[Any]:
    found: list[Any] = call(url, f"/memory?query={quote(text)}")["entities"]
    return found


def _until(began: float, done: Callable[[], bool]) -> float:
    while not done():
        if time.perf_counter() - began > LIMIT:
            raise SystemExit(f"nothing changed in {LIMIT:.0f} s; see the logs of service and worker")
        time.sleep(0.002)
    return (time.perf_counter() - began) * 1_000


def _others(url: str, texts: Sequence[str], stopped: threading.Event) -> None:
    rng = random.Random(5)
    while not stopped.wait(rng.expovariate(RATE)):
        body = {"query": rng.choice(texts), "client_id": f"other-{rng.randrange(500)}"}
        answer = call(url, "/search", body)
        if rng.random() < 0.3:
            click(url, body, answer, rng)


if __name__ == "__main__":
    main()
