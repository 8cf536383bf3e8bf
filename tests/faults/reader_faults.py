"""Faults 32 to 34: what readers of snapshots meet. They decide searches all the time, and say what they see."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from fleet import ROOT
from reader import definition
from readers import Reader, differing
from scenarios import Run, Scenario

from learners.arrays import pack
from learners.fit import fit
from schemas.codec import encode
from schemas.snapshots import Array, Content, Manifest, Part
from schemas.topics import POLICY
from streams.clients import DisposableProducer, connect

Record = tuple[str, bytes | None]


def snapshot(salt: str, seq: int, *, arrays: dict[str, Array] | None = None, **more: Any) -> list[Record]:
    """Records of a publication: parts, then the manifest. `arrays` are put into the content."""
    content = fit(definition(salt), {}, 0)
    content = Content(content.definition, dict(content.arrays) | (arrays or {}))
    parts = content.split()
    manifest = Manifest(
        model="linear", content_id=content.content_id, seq=seq, publisher_epoch=1, created=int(time.time() * 1000), feature_schema="f",
        parts=[part.sha256 for part in parts], **more,
    )  # fmt: skip
    return [*((f"part/{part.sha256}", encode(part)) for part in parts), ("manifest", encode(manifest))]


def altered(records: Sequence[Record], **fields: Any) -> list[Record]:
    """The same with other fields in the manifest."""
    *parts, (key, value) = records
    return [*parts, (key, json.dumps(json.loads(value or b"") | fields).encode())]


def hurt(records: Sequence[Record]) -> list[Record]:
    """The same with one character changed in the data of its first part."""
    (key, value), *rest = records
    part = json.loads(value or b"")
    middle = len(part["data"]) // 2
    part["data"] = part["data"][:middle] + ("A" if part["data"][middle] != "A" else "B") + part["data"][middle + 1 :]
    return [(key, json.dumps(part).encode()), *rest]


def nan_weights(name: str) -> dict[str, Array]:
    shape = fit(definition("x"), {}, 0).arrays[name].shape
    return {name: Array("<f8", shape, np.full(shape, np.nan).tobytes())}  # `pack` would refuse it


def not_usable() -> dict[str, list[Record]]:
    """By name, what must change nothing while seq 20 is in use."""
    first = sorted(name for name, one in fit(definition("x"), {}, 0).arrays.items() if one.dtype == "<f8")[0]
    *_, manifest = snapshot("late", 30)
    return {
        "older": snapshot("older", 10), "the same again": snapshot("good", 20), "other content, same seq": snapshot("other", 20),
        "an older publisher": altered(snapshot("zombie", 99), publisher_epoch=0), "parts missing": [manifest],
        "a part with other bytes": hurt(snapshot("hurt", 31)), "NaN weights": snapshot("nan", 32, arrays=nan_weights(first)),
        "weights of another shape": snapshot("shape", 33, arrays={first: pack(np.zeros((3, 1, 4)))}),
        "an array missing": altered(snapshot("missing", 34), content_id="0" * 64),
        "an older schema": altered(snapshot("old schema", 35), schema_version=0),
        "a newer schema": altered(snapshot("new schema", 36), schema_version=2), "a field more": altered(snapshot("more", 37), more=1),
        "no JSON": [("manifest", b"{")], "no UTF-8": [("manifest", b"\xff\xfe")], "null": [("manifest", b"null")],
        "deep": [("manifest", b"[" * 100_000)], "huge numbers": [("manifest", b'{"seq":1e400}')], "a tombstone": [("manifest", None)],
        "parts that are none": [("part/x", b"{}"), ("part/" + "0" * 64, b"\xff"), ("part/" + "1" * 64, None)],
        "an unknown key": [("?", b"x")],
        "a large part": [(f"part/{'2' * 64}", encode(Part(sha256="2" * 64, data="A" * 400_000)))],
    }  # fmt: skip


def publish(producer: Any, records: Sequence[Record]) -> None:
    for key, value in records:
        producer.send(POLICY.name, value, key.encode()).get(10)


def bad_snapshots(run: Run, seconds: float) -> None:
    producer = connect(DisposableProducer, run.bootstrap, enable_idempotence=False, acks="all")
    with Reader(run.bootstrap, run.folder / "reader.log") as reader:
        publish(producer, snapshot("good", 20))
        run.must("the first policy is used", lambda: reader.sees(seq=20, salt="good"), 20.0)
        worst = not_usable()
        for name, records in worst.items():
            refused = reader.last["refused"]
            publish(producer, records)
            run.must(f"{name}: read", lambda: reader.sees(lag=0), 10.0)
            run.wait(max(0.5, seconds / 2 / len(worst)))
            run.wrong += [] if reader.sees(seq=20, salt="good", arms=2) else [f"{name}: {reader.last}"]
            run.notes["snapshots refused"] = reader.last["refused"]
            if reader.last["refused"] > refused and not reader.last["error"]:
                run.wrong.append(f"{name} was refused without a word")
        publish(producer, snapshot("late", 30)[:-1])  # the parts of a manifest that came long before
        run.must("parts that come after their manifest", lambda: reader.sees(seq=30, salt="late"), 10.0)
        publish(producer, snapshot("next", 40))
        run.must("the next good policy", lambda: reader.sees(seq=40, salt="next"), 10.0)
        with Reader(run.bootstrap, run.folder / "late-reader.log") as late:
            run.must("who comes later has the same", lambda: late.sees(seq=40, salt="next", caught_up=True), 20.0)
        run.wrong += [f"only {reader.last['refused']} refusals"] if reader.last["refused"] < 12 else []
        run.wrong += sorted({f"decided with {one['arms']} arms" for one in reader.seen if one["arms"] != 2})
        run.notes["decisions"] = len(reader.seen)
    producer.close(timeout=0.2)


class EmptyTopics:
    """A reader that was there before anything was published, before there were workers."""

    reader: Reader

    def before(self, run: Run) -> None:
        self.reader = Reader(run.bootstrap, run.folder / "reader.log")
        run.must("it has read all there is", lambda: self.reader.sees(caught_up=True), 20.0)
        fresh = {"seq": 0, "salt": "untrained", "arms": 2, "age": None, "lag": 0, "refused": 0, "error": "", "rows": 0, "memory_error": ""}
        run.wrong += [] if self.reader.sees(**fresh) else [f"with nothing to read: {self.reader.last}"]

    def breaks(self, run: Run, seconds: float) -> None:
        run.must("memory comes", lambda: self.reader.last["rows"] > 0, 30.0)
        producer = connect(DisposableProducer, run.bootstrap, enable_idempotence=False, acks="all")
        publish(producer, snapshot("first", 1))
        run.must("the first policy is used", lambda: self.reader.sees(seq=1, salt="first"), 10.0)
        producer.close(timeout=0.2)

    def judge(self, run: Run) -> list[str]:
        try:
            run.must("all of the memory is read", lambda: self.reader.sees(memory_lag=0), 20.0)
            run.notes["rows of the reader"] = self.reader.last["rows"]
            return differing(self.reader.rows(run.folder / "rows.jsonl"), run.expected.said.memory)
        finally:
            self.reader.close()


class DeadPublisher:
    """The publisher is killed and stays away; a worker is lost with its disk meanwhile."""

    reader: Reader
    publisher: subprocess.Popen[bytes]

    def _publish(self, run: Run) -> None:
        words = [sys.executable, "-m", "ops.cli", "worker", "--role", "publisher", "--bootstrap", run.bootstrap]
        with (run.folder / "publisher.log").open("ab") as log:
            self.publisher = subprocess.Popen(
                [*words, "--folder", str(run.folder / "publisher")], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip

    def breaks(self, run: Run, seconds: float) -> None:
        self.reader = Reader(run.bootstrap, run.folder / "reader.log")
        self._publish(run)
        run.must("policies come", lambda: self.reader.last.get("seq", 0) > 1, 40.0)
        self.publisher.kill()
        self.publisher.wait()
        run.wait(2.0)
        dead = len(self.reader.seen)
        run.fleet.kill("a")
        run.fleet.start("a", disk="disk-new")
        run.wait(seconds / 2)
        away = self.reader.seen[dead:]
        run.notes["age of the policy, s"] = away[-1]["age"]
        run.notes["slowest decision of a reader, ms"] = max(one["decide_ms"] for one in away)
        run.wrong += [] if len({one["seq"] for one in away}) == 1 else ["another policy without a publisher"]
        run.wrong += [] if away[-1]["age"] > away[0]["age"] + seconds / 2 - 3.0 else [f"staleness does not grow: {away[0]}, {away[-1]}"]
        self._publish(run)
        run.must("policies come again", lambda: self.reader.last["seq"] > away[-1]["seq"], 60.0)

    def judge(self, run: Run) -> list[str]:
        try:
            run.must("all of the memory is read", lambda: self.reader.sees(memory_lag=0), 20.0)
            return differing(self.reader.rows(run.folder / "rows.jsonl"), run.expected.said.memory)
        finally:
            self.publisher.kill()
            self.publisher.wait()
            self.reader.close()


EMPTY, DEAD = EmptyTopics(), DeadPublisher()
SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "bad-snapshots", "policies out of order, twice, in part, corrupt, of other schemas, with NaN", 30, bad_snapshots, numbers=(32,)
    ),
    Scenario(
        "empty-topics", "a reader starts before anything was published", 12, EMPTY.breaks, numbers=(33,), before=EMPTY.before,
        judge=EMPTY.judge,
    ),
    Scenario(
        "dead-publisher", "the publisher killed, and one worker lost with its disk; readers go on", 40, DEAD.breaks, numbers=(34,),
        apart=True, judge=DEAD.judge,
    ),
)  # fmt: skip
