"""The log of a running worker, for people: one line for each event of interest, and no flood while the broker is away."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from schemas.errors import ForageError

LIBRARIES = ("faust", "mode", "aiokafka", "kafka", "asyncio")  # they tell of each step; what we need of it our own lines say
QUIET = {
    "kafka.net.selector": logging.ERROR,  # it warns of tasks that take long, as they do on a busy machine
    "mode.timers": logging.ERROR,  # so does this one
    "streams.faust_app.consumer": logging.WARNING,  # Faust tells of its steps under this name too
}
PARTITION = re.compile(r"\bpartition (\d+)\b")
EVERY = 60.0  # s between two lines of one kind: an outage gives some 290 KB/s per worker otherwise
# What clients say of a broker that is away, that moves a leader, or that has only just started: they try again, so it is worth a line
# when it lasts. What the broker refused (rights, names, sizes) is not among it.
PASSING = re.compile(
    r"KafkaConnectionError|NodeNotReady|NotCoordinator|CoordinatorNotAvailable|NotLeader|LeaderNotAvailable|KafkaTimeoutError|"
    r"RequestTimedOut|timed out|ECONN|Errno 1\d\d\b|Connect call failed|Connection lost|not ready|No node available|coordinator dead|"
    r"coordinator \(node|[Hh]eartbeat|network data|socket disconnected|Unable to (bootstrap|update metadata)|Metadata refresh"
)
LASTS, OVER = 10.0, 30.0  # s: it lasts from then on; it was over when nothing of it came for so long
APPLIED = "applied "  # one line a transaction, for those who measure; the sums of `streams/faust_app/report.py` stand for them


class Sparing(logging.Filter):
    """Lets one warning of each logger and template through in `every` seconds; the next one says how many were held back.

    All that a library says of a passing trouble is of one kind, and comes through only when it lasts. Lines below WARNING pass: libraries
    give none, and ours tell of single events.
    """

    def __init__(self, every: float = EVERY, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every, self._clock = every, clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}  # -> when it was last let through, and how many were held back since
        self._heard: dict[str, float] = {}  # library -> when it last spoke of a passing trouble

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return not str(record.msg).startswith(APPLIED)
        # Ours differ in what they are about; those of libraries in addresses, ids and times that do not matter.
        library, now = record.name.partition(".")[0], self._clock()
        text = str(record.msg) if library in LIBRARIES else record.getMessage()
        key = (record.name, re.sub(r"\d+", "0", text))
        if library in LIBRARIES and PASSING.search(record.getMessage()):
            key = (library, "")
            if now - self._heard.get(library, now - OVER) >= OVER:  # it begins
                self._said[key] = (now - self._every + LASTS, 0)
            self._heard[library] = now
        at, held = self._said.get(key, (now - self._every, 0))
        if now - at < self._every:
            self._said[key] = (at, held + 1)
            return False
        self._said[key] = (now, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} ({held} more like it since)", None
        return True


class OneLine(logging.Formatter):
    """Time, level, logger and message on one line; only a traceback takes more. An error that was raised on purpose needs none."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ForageError):
            record.msg, record.args, record.exc_info, record.exc_text = str(error), None, None, None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is logging's
        record.message = " ".join(record.message.split())
        return super().formatMessage(record)


class OneObject(OneLine):
    """A line is a JSON object: ts (ISO 8601, UTC), level, role, logger, message; where they are known instance, partition, traceback."""

    def __init__(self, role: str, instance: str = "") -> None:
        super().__init__("%(message)s")
        self._always = {"role": role} | ({"instance": instance} if instance else {})

    def format(self, record: logging.LogRecord) -> str:
        message, _, trace = super().format(record).partition("\n")
        ts = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"ts": ts, "level": record.levelname, **self._always, "logger": record.name, "message": message}
        if found := PARTITION.search(message):
            line["partition"] = int(found[1])
        if trace:
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def configure(role: str, *, form: str = "text", instance: str = "") -> None:
    """Log to stderr, each line with the `role` of its process: for people, or as JSON for programs. Call it before the first line."""
    handler = logging.StreamHandler(sys.stderr)
    text = OneLine(f"%(asctime)s %(levelname)-7s {role:9} %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
    handler.setFormatter(OneObject(role, instance) if form == "json" else text)
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in (dict.fromkeys(LIBRARIES, logging.WARNING) | QUIET).items():
        logging.getLogger(name).setLevel(level)
