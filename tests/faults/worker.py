"""One stream worker of a fault run, a process of its own: `python worker.py JSON`, the fields of WorkerConfig."""

import json
import logging
import os
import sys
from pathlib import Path

import points

from streams.faust_app.config import WorkerConfig
from streams.faust_app.worker import run
from streams.kernel.join import RULES

if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("WARNING")
    points.install(dict(os.environ))
    given = json.loads(sys.argv[1])
    raise SystemExit(run(WorkerConfig(**(given | {"folder": Path(given["folder"]), "rules": RULES}))))
