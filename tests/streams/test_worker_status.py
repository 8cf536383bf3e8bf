"""What a worker counts, and how it says that it stands."""

from collections import deque

import pytest

from schemas.codec import encode
from schemas.events import Tick
from streams.faust_app.owner import Owner
from streams.faust_app.status import BUCKETS, SAMPLES, Meter, PartitionStatus, Place, Status, waited
from streams.kernel.changes import Record
from streams.kernel.join import RULES
from streams.partition_store import PartitionStore

HOUR = 3_600_000
TICK = encode(Tick())


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def owner(tmp_path):
    with PartitionStore.open(tmp_path / "partition-3.duckdb", 3, 4) as store:
        yield Owner(store, RULES, now=HOUR)


def apply(owner, meter, *records, seconds=0.02):
    before = dict(owner.next)
    changes = owner.apply([Record(topic, offset, time, value) for topic, offset, time, value in records], HOUR)
    meter.applied(before, owner.next, counted=changes.counters, seconds=seconds)


def test_what_was_counted_stays_when_the_partition_is_gone(owner, clock):
    meter = Meter("w1", clock=clock)
    apply(owner, meter, ("impressions", 0, HOUR, TICK), ("impressions", 1, HOUR, b"broken"), ("actions", 4, 2 * HOUR, TICK), seconds=0.3)
    meter.rebalanced()
    meter.sent(owner, 7, kept=0)
    there, gone = meter.status({3: owner}), meter.status({})
    for status in (there, gone):
        assert status.instance == "w1"
        assert status.counted == {"tick": 2, "quarantined_invalid": 1}
        assert status.records == {"impressions": 2, "actions": 5}  # offsets passed: a compacted or transactional log has gaps
        assert (sum(status.transactions.counts), status.transactions.counts[BUCKETS.index(0.5)], status.transactions.total) == (1, 1, 0.3)
        assert (status.sent, status.rounds, status.rebalances) == (7, 1, 1)
    assert gone.partitions == {}
    assert (there.partitions[3].next, there.partitions[3].watermark) == ({"impressions": 2, "actions": 5}, HOUR)
    assert there.partitions[3].store_bytes > 0
    apply(owner, meter, ("actions", 5, 2 * HOUR, TICK), seconds=99.0)
    assert meter.status({3: owner}).transactions.counts[-1] == 1
    assert meter.status({3: owner}).counted["tick"] == 3


def test_messages_that_the_broker_did_not_take_wait_like_those_that_were_not_sent(owner, clock):
    meter = Meter(clock=clock)
    apply(owner, meter, ("impressions", 0, HOUR, b"broken"))
    assert meter.status({3: owner}).unsent == 1
    under_way = list(owner.take(HOUR))
    meter.sent(owner, 0, kept=len(under_way))
    clock.now += 30.0
    assert (meter.status({3: owner}).unsent, meter.status({3: owner}).partitions[3].waiting) == (1, 30.0)
    owner.sent(HOUR)
    meter.sent(owner, 1, kept=0)
    after = meter.status({3: owner})
    assert (after.unsent, after.partitions[3].waiting, after.sent, after.rounds) == (0, 0.0, 1, 2)


def test_waiting_counts_from_the_oldest_transaction_that_is_not_acknowledged():
    seen = deque()
    assert waited(seen, made=0, acknowledged=0, now=1.0) == 0.0
    assert waited(seen, made=2, acknowledged=0, now=2.0) == 0.0
    assert waited(seen, made=5, acknowledged=0, now=10.0) == 8.0
    assert waited(seen, made=5, acknowledged=1, now=11.0) == 9.0
    assert waited(seen, made=5, acknowledged=2, now=12.0) == 2.0  # 3 to 5 were made by 10.0
    assert waited(seen, made=5, acknowledged=5, now=13.0) == 0.0
    for second in range(3 * SAMPLES):
        waited(seen, made=6 + second, acknowledged=5, now=20.0 + second)
    assert len(seen) == SAMPLES


def test_checkpoints_and_takeovers(owner, clock):
    meter = Meter(clock=clock)
    meter.opened(3, 1.5)
    clock.now += 10.0
    opened = meter.status({3: owner}).partitions[3]
    assert (opened.takeover, opened.checkpoint, opened.checkpoint_age) == (1.5, 0.0, 10.0)
    meter.checkpoint_failed()
    with meter.long("the checkpoint of partition 3"):
        assert meter.busy == "the checkpoint of partition 3"
        meter.checkpointed(3, 0.25)
    clock.now += 4.0
    after = meter.status({3: owner})
    assert (after.partitions[3].checkpoint, after.partitions[3].checkpoint_age, after.checkpoint_failures) == (0.25, 4.0, 1)
    assert meter.busy == ""


def test_lag_is_the_end_of_the_log_less_what_was_applied():
    partitions = {0: PartitionStatus(next={"impressions": 5, "actions": 9}), 1: PartitionStatus(next={"impressions": 1, "actions": 0})}
    ends = {Place("impressions", 0): 7, Place("actions", 0): 8, Place("impressions", 1): 1, Place("actions", 9): 100}
    status = Status(partitions=partitions, ends=ends)
    assert status.lag() == {Place("impressions", 0): 2, Place("actions", 0): 0, Place("impressions", 1): 0}


def test_long_works_nest():
    meter = Meter()
    with meter.long("opening partition 1"):
        with meter.long("the checkpoint of partition 0"):
            assert meter.busy == "the checkpoint of partition 0"
        assert meter.busy == "opening partition 1"
    assert meter.busy == ""
