"""Everything of one partition in one DuckDB file: what a batch changes is committed in one transaction, with the offsets of both inputs."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import pyarrow as pa

from learners.tallies import Tallies
from memory_index import shares
from memory_index.erasure import rewrite
from memory_index.store import Store
from schemas.errors import PartitionMismatch, StaleLog
from schemas.rows import SKETCH, MemoryKey, TallyKey
from streams import compacting
from streams.erasing.erasing import Erasing, Statement, spans
from streams.erasing.taking import forgets, traced
from streams.kernel.changes import INPUTS, Changes, Input, Outgoing, SavedEvent, SetHash
from streams.kernel.erased import ErasedPeople
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.kernel.seen_ids import SeenIds, newest_expired
from streams.kernel.share import Share

KEEP_SENT = 10 * 60_000  # ms: rows sent so lately are sent again by an owner that takes over
_IDS = pa.schema([("bucket", pa.int64()), ("id", pa.binary()), ("content", pa.int64())])
_FACT = [("search_id", pa.string()), ("topic", pa.string()), ("time", pa.int64()), ("value", pa.binary())]
_EVENTS = pa.schema([*_FACT, ("ts", pa.int64()), ("client", pa.int64())])
_OUTBOX = pa.schema([("topic", pa.string()), ("partition", pa.int64()), ("key", pa.string()), ("value", pa.binary()), ("time", pa.int64())])
_SETS = pa.schema([("name", pa.string()), ("count", pa.int64()), ("total", pa.string())])
_APPLIED = pa.schema([("topic", pa.string()), ("next", pa.int64()), ("time", pa.int64())])
_OVER = """DELETE FROM events USING (
    SELECT search_id, min(time) AS t0 FROM events WHERE topic = 'impressions' GROUP BY search_id HAVING min(time) < ?
) AS over WHERE events.search_id = over.search_id AND events.time <= over.t0 + ?"""


class PartitionStore:
    """Owned by one process at a time: opening raises Unavailable while another one has the file."""

    def __init__(self, store: Store, partition: int, partitions: int) -> None:
        self.partition, self.partitions, self._store = partition, partitions, store
        mine = self._rows("SELECT partition, partitions FROM identity")
        if not mine:
            store.append({}, [("INSERT INTO identity VALUES (?, ?)", [partition, partitions])])
        elif mine[0] != (partition, partitions):
            raise PartitionMismatch(
                f"{store.path} is partition {mine[0][0]} of {mine[0][1]}, not {partition} of {partitions}; "
                f"if the topics grew to {partitions}, stop all workers and run `forage topics migrate --partitions {partitions}`; "
                "else give this worker another folder"
            )
        self.seq: int = self._one("SELECT coalesce(max(seq), 0) FROM applied")
        self.epoch: int = self._one("SELECT coalesce(max(epoch), 0) FROM epoch")

    @classmethod
    def open(cls, path: Path, partition: int, partitions: int) -> "PartitionStore":
        """Open or create the file. Raises Unavailable, CorruptFile, PartitionMismatch."""
        store = Store(path, schema())
        try:
            return cls(store, partition, partitions)
        except BaseException:
            store.close()
            raise

    @property
    def path(self) -> Path:
        return self._store.path

    def next_offsets(self) -> dict[Input, int]:
        """First offset of each input that is not applied yet."""
        applied = dict(self._applied())
        return {topic: applied.get(topic, (0, 0))[0] for topic in INPUTS}

    def begin_at(self, next_: Mapping[Input, int]) -> None:
        """Let an empty partition begin at these offsets."""
        self._store.append({"applied": _table(_APPLIED, [(topic, next_[topic], 0) for topic in INPUTS])}, [("DELETE FROM applied", [])])

    def kernel(self, rules: Rules) -> Kernel:
        """The kernel as of the last transaction."""
        applied = dict(self._applied())
        kernel = Kernel.restore(
            self.partition, self.partitions, rules,
            next_={topic: applied.get(topic, (0, 0))[0] for topic in INPUTS},
            times={topic: applied.get(topic, (0, 0))[1] for topic in INPUTS},
            ids=self._seen_ids(),
            events=(SavedEvent(*row) for row in self._rows("SELECT search_id, topic, time, value, ts, client FROM events")),
        )  # fmt: skip
        kernel.erased = ErasedPeople(rules, spans(self.erasings()))
        return kernel

    def commit(self, changes: Changes, *, sent: tuple[int, int] | None = None, also: Sequence[Statement] = ()) -> None:
        """One transaction: counts, tallies, open searches, ids, outgoing messages, and where both inputs stand.

        `sent`: with it, note as `mark_sent` does. `also`: statements that go before what is appended.
        """
        seq = self.seq + 1
        tables = {
            "memory": shares.memory_table(changes.memory),
            "tallies": shares.tally_table(changes.tallies),
            "outbox": _table(_OUTBOX, changes.outgoing),
            "applied": _table(_APPLIED, [(topic, changes.next[topic], changes.times[topic]) for topic in INPUTS]),
        }
        tables = {name: table.append_column("seq", pa.array([seq] * len(table), pa.int64())) for name, table in tables.items()}
        tables["ids"], tables["events"] = _table(_IDS, changes.ids), _table(_EVENTS, changes.events)
        tables["sets"] = _table(_SETS, [(name, one.count, str(one.total)) for name, one in changes.sets.items()])
        marks = [("INSERT INTO sent VALUES (?, ?)", list(sent))] if sent else []
        self._store.append(tables, [("DELETE FROM applied", []), *marks, *forgets(changes.forgotten), *traced(changes.traces, seq), *also])
        self.seq = seq

    def begin_epoch(self, at_least: int) -> int:
        """Start owning, before anything is sent: an epoch above every earlier one here, and not below `at_least`."""
        epoch = max(1 + self.epoch, at_least)
        self._store.append({}, [("DELETE FROM epoch", []), ("INSERT INTO epoch VALUES (?)", [epoch])])
        self.epoch = epoch
        return epoch

    def check_topics(self, ids: Mapping[str, str]) -> None:
        """Offsets belong to topics by id: refuse a topic that was deleted and made again. Raises StaleLog."""
        known = self.topic_ids()
        for topic in sorted(known.keys() & ids.keys()):
            if known[topic] != ids[topic]:
                raise StaleLog(
                    f"{topic} was made anew since {self.path} was written (id {known[topic]}, now {ids[topic]}); "
                    "move the folder away to start anew with the new topic, or point the worker at the old cluster"
                )
        new = [(topic, ids[topic]) for topic in sorted(ids.keys() - known.keys())]
        self._store.append({}, [("INSERT INTO topic_ids VALUES (?, ?)", list(row)) for row in new])

    def meet_outputs(self, ids: Mapping[str, str]) -> bool:
        """Note the ids of the topics of rows; whether one was made anew (or is met for the first time): then nothing was sent there yet."""
        known = self.topic_ids()
        new = {topic: id_ for topic, id_ in ids.items() if known.get(topic) != id_}
        if new:
            gone = [("DELETE FROM topic_ids WHERE topic = ?", [topic]) for topic in new]
            said = [("INSERT INTO topic_ids VALUES (?, ?)", [topic, id_]) for topic, id_ in new.items()]
            self._store.append({}, [("DELETE FROM sent", []), *gone, *said])
        return bool(new)

    # -- outbox -----------------------------------------------------------------------------------------------------------

    def outbox(self, after: int) -> list[tuple[int, Outgoing]]:
        """Messages of transactions after seq `after`, in order, with their seq."""
        sql = "SELECT seq, topic, partition, key, value, time FROM outbox WHERE seq > ? ORDER BY seq, rowid"
        return [(row[0], Outgoing(*row[1:])) for row in self._rows(sql, [after])]

    def changed(self, after: int) -> tuple[list[MemoryKey], list[TallyKey]]:
        """Rows changed by transactions after seq `after`."""
        memory = self._rows("SELECT DISTINCT query_key, segment, entity_id, day FROM memory WHERE seq > ?", [after])
        tallies = self._rows("SELECT DISTINCT kind, arm, context, hour FROM tallies WHERE seq > ?", [after])
        return list(memory), list(tallies)

    def mark_sent(self, seq: int, now: int) -> None:
        """Everything up to `seq` has been acknowledged by the broker at wall time `now` (ms)."""
        self._store.append({}, [("INSERT INTO sent VALUES (?, ?)", [seq, now])])

    def last_sent(self) -> int:
        """The seq up to which everything has been acknowledged."""
        return self._one("SELECT coalesce(max(seq), 0) FROM sent")

    def resend_from(self, now: int) -> int:
        """The seq after which an owner that took over sends rows again: all that were sent in the last KEEP_SENT ms."""
        return self._one("SELECT coalesce(max(seq), 0) FROM sent WHERE sent_at < ?", [now - KEEP_SENT])

    # -- reading and tidying ----------------------------------------------------------------------------------------------

    def memory_rows(self, keys: Sequence[MemoryKey] | None = None) -> pa.Table:
        """Added-up memory rows (memory_index.shares.MEMORY_SCHEMA), all or those of `keys`."""
        return shares.memory_rows(self._store, keys)

    def tally_rows(self, keys: Sequence[TallyKey] | None = None) -> Tallies:
        """Added-up tallies, all or those of `keys`."""
        return shares.tally_rows(self._store, keys)

    def share(self) -> Share:
        """The sums, for the digest."""
        return Share(shares.as_counts(self.memory_rows()), shares.tally_rows(self._store), self._sets())

    def compact(self, rules: Rules, now: int) -> None:
        """Fold old rows, add up deltas, drop what no later record can ask for; then write the WAL into the file."""
        self._fold()
        applied = dict(self._applied())
        watermark = min((applied.get(topic, (0, 0))[1] for topic in INPUTS), default=0)
        done, sets = self.resend_from(now), self._sets()
        tables = {
            "tallies": compacting.add_up_tallies(self._store, resent=done),
            "sets": _table(_SETS, [(name, one.count, str(one.total)) for name, one in sets.items()]),
        }
        self._store.append(tables, [
            *compacting.add_up_memory(self._store, resent=done),
            ("DELETE FROM tallies", []), ("DELETE FROM sets", []),
            ("DELETE FROM ids WHERE bucket <= ?", [newest_expired(watermark)]),
            # A search whose window has passed goes whole: a later page that stayed would open it anew, an action be held for it.
            (_OVER, [watermark - rules.window, rules.window]),
            ("DELETE FROM events WHERE time < ?", [watermark - 2 * rules.window]),
            ("DELETE FROM outbox WHERE seq <= ?", [self.last_sent()]),  # only rows are ever sent twice
            ("DELETE FROM sent WHERE seq < ?", [done]),
        ])  # fmt: skip
        self._store.checkpoint()

    def _fold(self) -> None:
        """A transaction of its own: what it changes is sent like any other change."""
        memory, tallies = compacting.fold_memory(self._store), shares.tally_table(compacting.fold_tallies(self._store))
        if not len(memory) and not len(tallies):
            return
        tables = {
            name: rows.append_column("seq", pa.array([self.seq + 1] * len(rows), pa.int64()))
            for name, rows in (("memory", memory), ("tallies", tallies))
        }
        self._store.append(tables, [("UPDATE applied SET seq = ?", [self.seq + 1])])
        self.seq += 1

    def erasings(self, *, busy: bool = False) -> list[Erasing]:
        """The erasures that were accepted here, and how far each is done; `busy`: only those that are not."""
        which = "WHERE NOT done" if busy else ""
        return [Erasing(*row) for row in self._rows(f"SELECT {', '.join(Erasing._fields)} FROM erased {which} ORDER BY client, until")]

    def began(self) -> int:
        """Record time (ms) of the first impression that was applied here, 0 when it is not known."""
        return self._one("SELECT coalesce(min(time), 0) FROM began")

    def full_rows(self, clients: Sequence[int]) -> list[MemoryKey]:
        """Rows whose sketch is full and holds one of these people."""
        rows = f"SELECT {', '.join(shares.KEYS)} FROM memory {shares.BY_KEY} HAVING "
        held = "flatten(list(clients))"
        return self._rows(f"{rows} list_has_any({held}, ?::UBIGINT[]) AND len(list_distinct({held})) >= {SKETCH}", [list(clients)])

    def newest_hour(self) -> int:
        """The newest hour of the tallies, 0 without any."""
        return self._one("SELECT coalesce(max(hour), 0) FROM tallies")

    def purge(self, now: int) -> None:
        """Nothing of what was deleted is in the file any more: rows of zeros that need not be sent again go, and the file is written anew.
        Raises Unavailable when the disk does not take it."""
        zeros = f"(SELECT {', '.join(shares.KEYS)} FROM memory {shares.BY_KEY} HAVING NOT ({shares.NOT_ZERO}) AND max(seq) <= ?) AS zeros"
        same = " AND ".join(f"memory.{name} = zeros.{name}" for name in shares.KEYS)
        self._store.append({}, [(f"DELETE FROM memory USING {zeros} WHERE {same}", [self.resend_from(now)])])
        rewrite(self._store, schema())

    def checkpoint(self) -> None:
        """Fold the WAL into the file: a copy of it now holds everything."""
        self._store.checkpoint()

    def topic_ids(self) -> dict[str, str]:
        """Ids of the topics that the offsets belong to."""
        return dict(self._rows("SELECT topic, id FROM topic_ids"))

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> "PartitionStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seen_ids(self) -> SeenIds:
        table = self._store.query("SELECT id, content, bucket FROM ids")
        ids = table["id"].combine_chunks().cast(pa.binary(16))
        return SeenIds.of(
            b"" if not len(ids) else ids.buffers()[1].to_pybytes()[ids.offset * 16 :],
            *(table[name].to_numpy() for name in ("content", "bucket")),
        )

    def _sets(self) -> dict[str, SetHash]:
        sets: dict[str, SetHash] = {}
        for name, count, total in self._rows("SELECT name, count, total FROM sets"):
            sets.setdefault(name, SetHash()).merge(SetHash(count, int(total)))
        return sets

    def _applied(self) -> list[tuple[Input, tuple[int, int]]]:
        return [(topic, (next_, time)) for topic, next_, time in self._rows("SELECT topic, next, time FROM applied")]

    def _rows(self, sql: str, params: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        table = self._store.query(sql, params)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def _one(self, sql: str, params: Sequence[object] = ()) -> int:
        return int(self._rows(sql, params)[0][0])


def schema() -> list[str]:
    return [shares.schema_sql(), (files("streams") / "partition_store.sql").read_text("utf-8")]


def _table(schema: pa.Schema, rows: Sequence[tuple]) -> pa.Table:  # type: ignore[type-arg]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
