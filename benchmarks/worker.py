"""A stream worker as a process of its own: `python -m benchmarks.worker BOOTSTRAP FOLDER [JSON]`.

JSON holds fields of WorkerConfig, and what no setting of `forage` changes: `window` and `settle` (ms) in place of the product's 30 and 10
min, `hour` (ms) in place of the hour by which ids are kept, and their day with it: so that a soak of half an hour sees searches conclude
and ids go. `status` names a file that gets the worker's status as a line of JSON each second. At its end it says what garbage collection
took.
"""

import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streams import partition_store
from streams.faust_app.config import WorkerConfig
from streams.faust_app.status import Status
from streams.faust_app.worker import run
from streams.kernel import conclude, erased, kernel, searches, seen_ids
from streams.kernel.join import RULES


class Garbage:
    """Seconds and number of collections, by Python's callbacks."""

    def __init__(self) -> None:
        self.seconds, self.longest, self.collections, self._began = 0.0, 0.0, 0, 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = time.perf_counter() - self._began
        self.seconds, self.longest, self.collections = self.seconds + took, max(self.longest, took), self.collections + 1

    def __str__(self) -> str:
        return f"garbage: {self.collections} collections, {self.seconds:.2f} s in all, the longest {self.longest:.3f} s"


def config(bootstrap: str, folder: Path, given: dict[str, object]) -> WorkerConfig:
    rules = {name: given.pop(name) for name in ("window", "settle") if name in given}
    return WorkerConfig(bootstrap, folder, replace(RULES, **rules), **({"instance": "bench"} | given))  # type: ignore[arg-type]


def shorten(hour: int) -> None:
    """Ids are kept by hours of this many ms, for a day of 24 of them; tallies and memory keep their hours and days."""
    for module in (conclude, erased, kernel, searches, seen_ids, partition_store):
        for name, value in {"HOUR_MS": hour, "DAY_MS": 24 * hour}.items():
            if hasattr(module, name):
                setattr(module, name, value)


def told(path: Path) -> Callable[[Status], None]:
    """Writes each status down."""
    out = path.open("a")

    def tell(status: Status) -> None:
        parts = status.partitions.values()
        line = {
            "t": time.time(), "lag": sum(status.lag().values()), "unsent": status.unsent, "stalled": status.stalled,
            "ids": sum(one.known_ids for one in parts), "open": sum(one.open_searches for one in parts), "partitions": len(parts),
            "checkpoint_s": max((one.checkpoint for one in parts), default=0.0),
            "waiting_s": max((one.waiting for one in parts), default=0.0),
        }  # fmt: skip
        print(json.dumps(line), file=out, flush=True)

    return tell


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("WARNING")
    given = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    if hour := given.pop("hour", 0):
        shorten(hour)
    status, garbage = given.pop("status", None), Garbage()
    try:
        code = run(config(sys.argv[1], Path(sys.argv[2]), given), on_status=told(Path(status)) if status else lambda _: None)
    finally:
        logging.info("%s", garbage)
    raise SystemExit(code)
