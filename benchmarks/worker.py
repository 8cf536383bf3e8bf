"""A stream worker as a process of its own: `python -m benchmarks.worker BOOTSTRAP FOLDER [JSON]`.

JSON holds fields of WorkerConfig, and `window` and `settle` (ms) in place of the product's 30 and 10 min: so that a soak of half an hour
sees searches conclude and state reach its size. No setting of `forage` does this. At its end it says what garbage collection took.
"""

import gc
import json
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

from streams.faust_app.config import WorkerConfig
from streams.faust_app.worker import run
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


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("WARNING")
    garbage = Garbage()
    try:
        code = run(config(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}))
    finally:
        logging.info("%s", garbage)
    raise SystemExit(code)
