"""A stream worker as a process of its own: `python -m benchmarks.worker BOOTSTRAP FOLDER [JSON]`.

JSON holds fields of WorkerConfig, and `window` and `settle` (ms) in place of the product's 30 and 10 min: so that a soak of half an hour
sees searches conclude and their ids go. No setting of `forage` does this.
"""

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

from streams.faust_app.config import WorkerConfig
from streams.faust_app.worker import run
from streams.kernel.join import RULES


def config(bootstrap: str, folder: Path, given: dict[str, object]) -> WorkerConfig:
    rules = {name: given.pop(name) for name in ("window", "settle") if name in given}
    return WorkerConfig(bootstrap, folder, replace(RULES, **rules), **({"instance": "bench"} | given))  # type: ignore[arg-type]


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("WARNING")
    raise SystemExit(run(config(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})))
