"""A recorded LOG as records of partitions, and its replay through kernels in memory: the digest by which two runs are compared.

By the law of the system the digest is the same for any number of partitions, batch size and interleaving of the two inputs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Literal, NamedTuple, get_args

from schemas.codec import encode
from schemas.errors import InvalidSetting
from schemas.events import Tick
from streams.kernel.changes import INPUTS, Input, Record
from streams.kernel.join import RULES, Rules
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.partitioning import partition as partition_of
from streams.replaying.recording import Line

Interleave = Literal["impressions-first", "actions-first", "even"]
INTERLEAVINGS: tuple[Interleave, ...] = get_args(Interleave)
TICK_EVERY = 10 * 60_000  # ms of event time after which all partitions are told that time has passed
Progress = Callable[[int, int], None]  # records applied, records in all
_TICK = encode(Tick())


class Placed(NamedTuple):
    """A record on its way to a partition of an input. `key` is None for a tick."""

    topic: Input
    partition: int
    time: int
    key: str | None
    value: bytes


def placed(lines: Iterable[Line], partitions: int, *, rules: Rules) -> Iterator[Placed]:
    """Lines (in order of time) at their partitions, with ticks to every partition of both inputs: before a line where time has passed,
    and after the last one, one window and settle past it, so that all searches close."""
    ticked = last = None
    for line in lines:
        if ticked is None:
            ticked = line.time
        if line.time - ticked >= TICK_EVERY:
            ticked = line.time
            yield from _ticks(partitions, ticked)
        last = line.time
        yield Placed(line.topic, partition_of(line.key, partitions), line.time, line.key, line.value)
    if last is not None:
        yield from _ticks(partitions, last + rules.window + rules.settle)


def _ticks(partitions: int, time: int) -> Iterator[Placed]:
    return (Placed(topic, number, time, None, _TICK) for number in range(partitions) for topic in INPUTS)


def records_of(lines: Iterable[Line], partitions: int, *, rules: Rules) -> list[dict[Input, list[Record]]]:
    """By partition, the records of both inputs as the log of that partition would hold them. All of the LOG is in memory then."""
    logs: list[dict[Input, list[Record]]] = [{topic: [] for topic in INPUTS} for _ in range(partitions)]
    for one in placed(lines, partitions, rules=rules):
        log = logs[one.partition][one.topic]
        log.append(Record(one.topic, len(log), one.time, one.value, (one.key or "").encode()))
    return logs


def interleaved(log: Mapping[Input, Sequence[Record]], how: Interleave) -> list[Record]:
    """The records of both inputs in one order that reading two topics can give: one input whole before the other, or by turns."""
    if how == "impressions-first":
        return [*log["impressions"], *log["actions"]]
    if how == "actions-first":
        return [*log["actions"], *log["impressions"]]
    turns = zip_longest(log["impressions"], log["actions"])
    return [record for record in chain.from_iterable(turns) if record is not None]


def batches(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """Pieces of `size` records."""
    return (records[at : at + size] for at in range(0, len(records), size))


def pieces(records: Sequence[Record], count: int) -> Iterator[Sequence[Record]]:
    """`records` cut into `count` runs of nearly equal length."""
    size = len(records)
    return (records[size * at // count : size * (at + 1) // count] for at in range(count))


def replay(
    lines: Iterable[Line], *, partitions: int, batch: int, interleave: Interleave, rules: Rules = RULES,
    progress: Progress = lambda done, total: None,
) -> dict[str, str]:  # fmt: skip
    """Digest by part of the state after the whole LOG. Raises InvalidSetting."""
    check(partitions, batch, interleave)
    logs = records_of(lines, partitions, rules=rules)
    done, total = 0, sum(len(log[topic]) for log in logs for topic in INPUTS)
    kernels = [Kernel(number, partitions, rules) for number in range(partitions)]
    shares = [Share() for _ in range(partitions)]
    for log, kernel, share in zip(logs, kernels, shares, strict=True):
        for records in batches(interleaved(log, interleave), batch):
            share.add(kernel.apply(records))
            progress(done := done + len(records), total)
    return digest_state(shares, kernels)


def check(partitions: int, batch: int, interleave: str) -> None:
    """Raises InvalidSetting when a replay cannot be done so."""
    if not 1 <= partitions <= 1_000:
        raise InvalidSetting(f"partitions is {partitions}, must be 1 to 1000; the embedded loop has 4")
    if batch < 1:
        raise InvalidSetting(f"batch is {batch}, must be at least 1; 1000 is usual")
    if interleave not in INTERLEAVINGS:
        raise InvalidSetting(f"interleave is {interleave!r}; choose one of {', '.join(INTERLEAVINGS)}")
