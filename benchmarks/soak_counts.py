"""Was everything that was sent counted, once? Read from the partition files when nobody has them open any more."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from memory_index.counts import SHOWN
from streams.partition_store import PartitionStore


@dataclass(frozen=True)
class Expected:
    """What the broker acknowledged: searches, results on their pages, actions, each on an entity of its page."""

    searches: int
    shown: int
    acted: int


def differences(files: Sequence[Path], partitions: int, expected: Expected) -> list[str]:
    """What the files say otherwise. A partition that was on several disks is read where it was applied furthest."""
    with ExitStack() as opened:
        newest: dict[int, PartitionStore] = {}
        for path in files:
            store = opened.enter_context(PartitionStore.open(path, int(path.stem.rpartition("-")[2]), partitions))
            if store.partition not in newest or _age(store) > _age(newest[store.partition]):
                newest[store.partition] = store
        shares = [store.share() for store in newest.values()]
        counted = {
            "partitions": len(shares),
            "finals": sum(share.sets["final"].count for share in shares if "final" in share.sets),
            "results shown": sum(sum(counts[:SHOWN]) for share in shares for counts, _ in share.memory.values()),
            "actions": sum(sum(counts[SHOWN:]) for share in shares for counts, _ in share.memory.values()),
            "amended or quarantined": sum(one.count for share in shares for name, one in share.sets.items() if name != "final"),
            "not acknowledged by the broker": sum(len(store.outbox(store.last_sent())) for store in newest.values()),
        }
    wanted = {
        "partitions": partitions, "finals": expected.searches, "results shown": expected.shown, "actions": expected.acted,
        "amended or quarantined": 0, "not acknowledged by the broker": 0,
    }  # fmt: skip
    return [f"{name}: {counted[name]:,}, not {wanted[name]:,}" for name in wanted if counted[name] != wanted[name]]


def _age(store: PartitionStore) -> tuple[int, int]:
    return sum(store.next_offsets().values()), store.epoch
