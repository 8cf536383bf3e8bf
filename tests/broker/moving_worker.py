"""A stream worker as a process, which looks at its topics every second, and what it says."""

import json
import subprocess
import sys
import time
from pathlib import Path

from compare import ends_of_inputs
from fleet import APPLIED, OWNED, ROOT
from load import TOPICS

_RUN = """
import json, logging, sys
from pathlib import Path
from streams.faust_app import worker
from streams.faust_app.config import WorkerConfig
from streams.kernel.join import RULES
from streams.moving import topics
logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
for name in ("kafka", "aiokafka", "faust", "mode"):
    logging.getLogger(name).setLevel("WARNING")
topics.EVERY = 1.0
given = json.loads(sys.argv[1])
raise SystemExit(worker.run(WorkerConfig(**(given | {"folder": Path(given["folder"]), "rules": RULES}))))
"""


class Worker:
    """One worker of a group of its own, unless `group` is given. Use as a context manager."""

    def __init__(self, bootstrap: str, folder: Path, *, group: str = "", partitions: int = 2, **config: object) -> None:
        self._bootstrap, self._partitions = bootstrap, partitions
        given = {"bootstrap": bootstrap, "folder": str(folder), "group": group or f"moving-{time.time_ns():x}", **config}
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"worker-{time.time_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", _RUN, json.dumps(given)], stdout=log, stderr=log, cwd=ROOT)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def caught_up(self, seconds: float = 60.0) -> bool:
        """Wait until it has applied all that the inputs hold."""
        ends = ends_of_inputs(self._bootstrap, TOPICS, self._partitions)
        return until(lambda: self.next() == ends, seconds)

    def next(self) -> dict[int, tuple[int, int]]:
        text, next_ = self._log.read_bytes(), {}
        for number, *ends in [*OWNED.findall(text), *((found[0], *found[3:5]) for found in APPLIED.findall(text))]:
            next_[int(number)] = max(next_.get(int(number), (0, 0)), (int(ends[0]), int(ends[1])), key=sum)
        return next_

    def ended(self, seconds: float = 40.0) -> int | None:
        """Its code once it has ended of itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def until(true, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.1)
    return bool(found)
