"""An event producer on a disk that fills up, and is damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from disks import Disk, unmount_all
from fleet import HERE, ROOT
from kafka import KafkaConsumer, TopicPartition
from scenarios import Run

from ops import broker
from schemas.topics import ACTIONS
from streams.clients import connect

MANY, SPILL = 30_000, 3  # events, and a disk of MB that does not take them all


class _Process:
    def __init__(self, bootstrap: str, spill: Path, count: int) -> None:
        words = [sys.executable, str(HERE / "producer.py"), bootstrap, str(spill), str(count)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline() or "{}"))

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def close(self) -> dict[str, Any]:
        out, _ = self._process.communicate("")
        return dict(json.loads(out or "{}"))


def producer_on_a_full_and_damaged_disk(run: Run) -> list[str]:
    """The broker away, the disk full, the process killed, a bit flipped and bytes cut: all that was accepted arrives, but for the events
    whose lines were hurt, and those are counted."""
    spill = run.folder / "spill"
    Disk(spill).mount(size=SPILL)
    try:
        broker.stop(run.node)
        first = _Process(run.bootstrap, spill, MANY)
        accepted = first.said()
        first.kill()
        segments = sorted(spill.glob("*.spill"))
        data = bytearray(segments[1].read_bytes())
        data[len(data) // 2] ^= 4
        segments[1].write_bytes(data)
        with segments[-1].open("r+b") as file:
            file.truncate(segments[-1].stat().st_size - 40)
        broker.start(run.node)
        second = _Process(run.bootstrap, spill, 0)
        second.said()
        counters = second.close()
    finally:
        unmount_all()
    lost = set(accepted["accepted"]) - arrived(run)
    run.notes |= {"accepted": len(accepted["accepted"]), "refused, disk full": MANY - len(accepted["accepted"]), "hurt": len(lost)}
    wrong = [] if 0 < len(accepted["accepted"]) < MANY else ["the disk was not full"]
    return wrong + ([] if len(lost) == counters.get("failed") == 2 else [f"{len(lost)} events lost, 2 lines hurt: {counters}"])


def arrived(run: Run) -> set[int]:
    """Numbers of the actions on the topic whose search is `produced-NUMBER`."""
    consumer: Any = connect(KafkaConsumer, run.bootstrap, enable_auto_commit=False)
    parts = [TopicPartition(ACTIONS.name, number) for number in range(run.partitions)]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    ends, found = consumer.end_offsets(parts), set()
    while any(consumer.position(part) < ends[part] for part in parts):
        for records in consumer.poll(timeout_ms=200).values():
            found |= {int(one.key.split(b"-")[1]) for one in records if (one.key or b"").startswith(b"produced-")}
    consumer.close()
    return found
