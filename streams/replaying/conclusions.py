"""What searches came to, from wherever it is kept: a recorded LOG, the folder of an embedded run, the topic search.outcomes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from memory_index.outcome_log import OutcomeLog
from schemas.errors import InvalidMessage, NotFound, Unavailable
from schemas.outcomes import Amendment, Outcome
from schemas.topics import OUTCOMES
from streams.clients import Security, connect, partitions_of, unavailable
from streams.kernel.changes import Input, Outgoing, Record
from streams.kernel.join import RULES, Rules
from streams.kernel.kernel import Kernel
from streams.publishing.concluding import concluded, conclusion_of
from streams.reading.stretch import read_stretch
from streams.replaying.recording import Line
from streams.replaying.replay import placed
from streams.replaying.stored_replay import open_any

BATCH = 1_000
_READING = {"enable_auto_commit": False, "bootstrap_timeout_ms": 5_000, "max_poll_records": 500}
Progress = Callable[[int, int], None]  # done, in all (0: not known)


def of_log(lines: Iterable[Line], *, rules: Rules = RULES, progress: Progress = lambda done, total: None) -> Iterator[Outcome | Amendment]:
    """What the searches of a LOG come to, replayed through one kernel, each once."""
    kernel, records, done = Kernel(0, 1, rules), _records(lines, rules), 0
    while batch := list(islice(records, BATCH)):
        changes = kernel.apply(batch)
        yield from concluded(changes.outgoing, _everything, changes.concluded)
        progress(done := done + len(batch), 0)


def of_folder(folder: Path, *, in_use: Callable[[Path], None]) -> Iterator[Outcome | Amendment]:
    """What an embedded run has concluded, in any order, some of it twice. `in_use` is told of the file of a partition that a running
    process holds: what it concluded last is not there yet. Raises NotFound, CorruptFile."""
    if not (folder / "outcomes").is_dir():
        raise NotFound(f"no outcomes in {folder}; give the folder of an embedded run, or read those of a worker with --topics")
    yield from concluded(_waiting(folder, in_use), _everything)
    yield from OutcomeLog(folder / "outcomes").scan(_everything)


def of_topic(
    bootstrap: str, *, from_time: int | None = None, security: Security | None = None, progress: Progress = lambda done, total: None
) -> Iterator[Outcome | Amendment]:
    """What the topic search.outcomes holds now, from its beginning or from the first records of `from_time` (ms) on, partition by
    partition; what an owner that took over sent again comes twice. What is no conclusion is left out. Raises Unavailable, NotFound."""
    try:
        with closing(connect(KafkaConsumer, bootstrap, security=security, **_READING)) as consumer:
            parts = [TopicPartition(OUTCOMES.name, number) for number in partitions_of(consumer, OUTCOMES.name, bootstrap=bootstrap)]
            starts, ends = dict(consumer.beginning_offsets(parts)), dict(consumer.end_offsets(parts))
            if from_time is not None:
                found = consumer.offsets_for_times(dict.fromkeys(parts, from_time))
                starts = {part: found[part].offset if found.get(part) is not None else ends[part] for part in parts}
            done, total = 0, sum(ends[part] - starts[part] for part in parts)
            for _, fetched in read_stretch(consumer, starts, ends):
                for one in fetched:
                    try:
                        conclusion = conclusion_of(one.value, _everything)
                    except InvalidMessage:
                        continue
                    if conclusion is not None:
                        yield conclusion
                progress(done := done + len(fetched), total)
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from error


def _waiting(folder: Path, in_use: Callable[[Path], None]) -> Iterator[Outgoing]:
    """What waits in the outboxes for its file of the outcome log."""
    for path in sorted(folder.glob("partition-*.duckdb")):
        try:
            store = open_any(path)
        except Unavailable:
            in_use(path)
            continue
        with store:
            yield from (out for _, out in store.outbox(store.last_sent()))


def _records(lines: Iterable[Line], rules: Rules) -> Iterator[Record]:
    offsets: dict[Input, int] = {"impressions": 0, "actions": 0}
    for one in placed(lines, 1, rules=rules):
        yield Record(one.topic, offsets[one.topic], one.time, one.value, (one.key or "").encode())
        offsets[one.topic] += 1


def _everything(final_id: str, time: int) -> bool:
    return True
