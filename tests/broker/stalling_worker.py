"""A stream worker that stops doing its work once a file is there: `python stalling_worker.py JSON HOW FLAG SECONDS`.

HOW: `fetch`, nothing is fetched any more while the event loop runs; `loop`, the event loop hangs. SECONDS: after how many it is a stall.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from streams.faust_app import worker
from streams.faust_app.config import WorkerConfig
from streams.faust_app.consumer import StoreConsumer
from streams.kernel.join import RULES

HOUR = 3_600.0


def main(given: str, how: str, flag: str, seconds: str) -> int:
    logging.basicConfig(level="INFO", stream=sys.stderr)
    for name in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel("ERROR")
    getmany, apply = StoreConsumer.getmany, worker._apply

    async def fetch_nothing(self: Any, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        async for one in getmany(self, timeout):
            if Path(flag).exists():
                await asyncio.sleep(HOUR)
            yield one

    def hang(*args: Any) -> None:
        if Path(flag).exists():
            time.sleep(HOUR)
        apply(*args)

    if how == "fetch":
        StoreConsumer.getmany = fetch_nothing
    else:
        worker._apply = hang
    config = json.loads(given)
    return worker.run(WorkerConfig(**(config | {"folder": Path(config["folder"]), "rules": RULES})), stalled=float(seconds))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
