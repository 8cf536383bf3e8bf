"""A running service for benches: started as anybody would start it, and called over HTTP."""

import hashlib
import json
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from benchmarks.processes import running
from ops.kafka.ready import free_ports

START = 600.0  # s: a catalogue is embedded at the first start
TOKEN = "token-of-the-bench"  # whoever has one may send far more than one browser
STRATEGIES = "lexical,trigrams,memory,neighbours,popular,xmr"


@contextmanager
def service(folder: Path, data: Path, *, encoder: str = "", options: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """`forage serve --data folder` with its state in `data`: URL and process."""
    (port,) = free_ports(1)
    data.mkdir(parents=True, exist_ok=True)
    (data / "tokens").write_text(f"bench {hashlib.sha256(TOKEN.encode()).hexdigest()} search,events,read,operate\n")
    os.environ |= {
        "FORAGE_DATA_DIR": str(data), "FORAGE_STRATEGIES": STRATEGIES + (",dense" if encoder else ""), "FORAGE_ENCODER": encoder,
        "FORAGE_API_TOKENS_FILE": str(data / "tokens"),
    }  # fmt: skip
    with running("ops.cli", ["serve", "--data", str(folder), "--port", str(port), *options], data / "serve.log") as process:
        url, began = f"http://127.0.0.1:{port}", time.monotonic()
        while not _ready(url):
            if process.poll() is not None or time.monotonic() - began > START:
                raise SystemExit(f"the service does not start:\n{(data / 'serve.log').read_text()[-2_000:]}")
            time.sleep(0.5)
        yield url, process.pid


def call(url: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """GET, or POST of a body; the answer. Raises urllib's HTTPError for a refusal."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    request = Request(f"{url}{path}", None if body is None else json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def click(url: str, body: Mapping[str, Any], answer: Mapping[str, Any], rng: random.Random) -> str:
    """Who searched clicks one of the first three results; its entity, "" for an empty page."""
    if not answer["results"]:
        return ""
    one = rng.choice(answer["results"][:3])
    action = {
        "type": "action", "action_id": f"{answer['search_id']}-{one['position']}", "search_id": answer["search_id"],
        "ts": time.time_ns() // 1_000_000, "kind": "click", "entity_id": one["entity_id"], "position": one["position"],
        "token": answer["token"],
    }  # fmt: skip
    taken = call(url, "/events", {"client_id": body["client_id"], "events": [action]})
    if taken["refused"]:
        raise SystemExit(f"a click was refused: {taken['refused']}")
    return str(one["entity_id"])


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5):
            return True
    except (HTTPError, URLError, OSError):
        return False
