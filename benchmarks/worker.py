"""A stream worker as a process of its own: `python -m benchmarks.worker BOOTSTRAP FOLDER`."""

import logging
import sys
from pathlib import Path

from streams.faust_app.config import WorkerConfig
from streams.faust_app.worker import run
from streams.kernel.join import RULES

if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("WARNING")
    raise SystemExit(run(WorkerConfig(sys.argv[1], Path(sys.argv[2]), RULES, instance="bench")))
