"""What a worker did lately, in one line, so that a person can see that it works and whether it keeps up."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from streams.faust_app.owner import Owner
from streams.kernel.changes import TOPIC_OF

EVERY = 10.0  # s
SILENT = ("tick", "redelivered")  # time that passes, and what a rebalance reads again, are no news


class Report:
    """Sums over the partitions that are owned now."""

    def __init__(self) -> None:
        self._before: dict[Owner, Counter[str]] = {}

    def line(self, owners: Mapping[int, Owner], *, behind: int) -> str:
        """What was counted since the last call; empty when nothing was and nothing waits. `behind`: records that are not yet applied."""
        done: Counter[str] = Counter()
        for owner in owners.values():
            done.update(owner.counters - self._before.get(owner, Counter()))
        self._before = {owner: Counter(owner.counters) for owner in owners.values()}
        unsent = sum(owner.unsent for owner in owners.values())
        counted = [f"{count:,} {name}" for name, count in sorted(done.items()) if name not in SILENT]
        if not counted and not behind:
            return ""
        return f"in {EVERY:.0f} s: {', '.join(counted) or 'nothing new'}; {behind:,} records behind, {unsent:,} messages to send"


def behind(consumer: Any, owners: Mapping[int, Owner]) -> int:
    """Records that the broker had at the last fetch and that are not applied; 0 while a rebalance changes what is fetched."""
    try:
        ends = {p: {input_: consumer.highwater((topic, p)) or 0 for input_, topic in TOPIC_OF.items()} for p in owners}
    except (AssertionError, AttributeError):  # so says aiokafka that a partition was taken away just now
        return 0
    return sum(max(0, end - owners[p].next[input_]) for p in ends for input_, end in ends[p].items())
