"""An event producer as a process of its own: `python producer.py BOOTSTRAP SPILL COUNT` offers COUNT actions, says which were accepted,
and closes at the end of its input."""

import json
import sys
import time
from pathlib import Path

from schemas.events import Action
from streams.producer import EventProducer

CAPACITY = 200  # events in memory: they are on disk before the disk is filled, so that all that was accepted is


def main(bootstrap: str, spill: str, count: str) -> None:
    producer, accepted = EventProducer(bootstrap, spill=Path(spill), capacity=CAPACITY), []
    for number in range(int(count)):
        while number == CAPACITY and producer.counters().spilled < CAPACITY:
            time.sleep(0.05)
        if producer.action(Action(action_id="1", search_id=f"produced-{number}", ts=1, kind="click", entity_id="e")):
            accepted.append(number)
    print(json.dumps({"accepted": accepted, "error": producer.counters().last_error}), flush=True)
    sys.stdin.read()
    producer.close(60.0)
    print(json.dumps(vars(producer.counters())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
