"""Opening and closing of partitions as they are assigned, without Kafka: files, checkpoints, and what is refused."""

import asyncio
from dataclasses import replace

import pytest

from schemas.errors import PartitionMismatch, StaleLog, Unavailable
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owners import Owners
from streams.kernel.share import digest_state
from streams.moving.reach import Reach
from streams.moving.topics import Topics
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore
from tests.streams.searchbox import RULES, act, page, record

IDS = {"search.impressions": "i", "search.actions": "a"}
OUTPUTS = {"memory.q2e": "m", "state.shares": "s"}
ALL = {"impressions": Reach(0, 99), "actions": Reach(0, 99)}


@pytest.fixture
def config(tmp_path):
    return WorkerConfig("", tmp_path / "worker", RULES, state_store=str(tmp_path / "state"), instance="one")


def owners(config, *, ids=IDS):
    return Owners(config, Topics(1, ids, OUTPUTS))


def own(owned, *partitions, log=ALL):
    asyncio.run(owned.own(set(partitions), dict.fromkeys(partitions, log)))
    return [owned[partition] for partition in partitions]


def run(config, *events, checkpoint=False):
    """A worker that owns partition 0, applies the events, makes a checkpoint or not, and stops."""
    owned = owners(config)
    (owner,) = own(owned, 0)
    for event in events:
        owner.apply([record(owner.next[topic], event, 0) for topic in [f"{event.type}s"]], 0)
    if checkpoint:
        asyncio.run(owned.checkpoint())
    state = dict(owner.next), digest_state([owner.store.share()], [owner.kernel])
    owned.release({0})
    return state


def test_exactly_what_is_assigned_is_open(config, tmp_path):
    owned = Owners(config, Topics(3, IDS, OUTPUTS))
    own(owned, 0, 1)
    kept = owned[1]
    own(owned, 1, 2)
    assert (set(owned), owned[1] is kept) == ({1, 2}, True)
    own(owned)
    assert len(owned) == 0
    own(owned, 0, 1, 2)
    owned.release({0, 1, 2, 9})
    assert len(owned) == 0


def test_an_empty_disk_takes_the_checkpoint(config, tmp_path):
    state = run(config, page(), act("1"), checkpoint=True)
    assert run(replace(config, folder=tmp_path / "other")) == state


def test_a_newer_local_file_is_never_replaced_by_a_checkpoint(config):
    run(config, page(), checkpoint=True)
    state = run(config, act("1"))
    assert state[0] == {"impressions": 1, "actions": 1}
    assert run(config) == state


def test_an_older_local_file_is_replaced(config, tmp_path):
    run(config, page())
    run(replace(config, folder=tmp_path / "other"), page(), act("1"), checkpoint=True)
    assert run(config)[0] == {"impressions": 1, "actions": 1}


def test_a_damaged_checkpoint_gives_way_to_an_older_one(config, tmp_path):
    older = run(config, page(), checkpoint=True)
    run(config, act("1"), checkpoint=True)
    newest = max((tmp_path / "state" / "partition-0").glob("*.duckdb"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    assert run(replace(config, folder=tmp_path / "other")) == older


def test_epochs_rise_over_those_of_checkpoints(config, tmp_path):
    """The other worker's clock is behind, and its disk is empty."""
    run(config, page(), checkpoint=True)
    state = StateStore.at(config.state_store)
    (best,) = state.best(0, IDS)
    ahead = replace(best, epoch=best.epoch + 1_000_000, next={"impressions": 0, "actions": 0})
    state.write(config.folder / "partition-0.duckdb", ahead)
    (owner,) = own(owned := owners(replace(config, folder=tmp_path / "other")), 0)
    assert owner.store.epoch == best.epoch + 1_000_001
    owned.release({0})


def test_epochs_rise_over_those_that_the_topics_of_rows_have_heard_of(config):
    """The other worker's clock was ahead, and it made no checkpoint."""
    asked = []
    owned = Owners(config, Topics(2, IDS, OUTPUTS), heard=lambda partitions, stop: asked.append(set(partitions)) or {1: 3 * 10**12})
    assert own(owned, 0)[0].store.epoch < 3 * 10**12 < own(owned, 0, 1)[1].store.epoch == 3 * 10**12 + 1
    assert asked == [{0}, {1}]
    owned.release({0, 1})


def test_while_the_state_store_is_away_the_local_file_will_do_and_an_empty_disk_waits(config, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("streams.faust_app.owners.PATIENCE", 0.3)
    state = run(config, page(), checkpoint=True)
    first, second = owners(config), owners(replace(config, folder=tmp_path / "other"))
    (tmp_path / "state" / "partition-0").rename(tmp_path / "away")
    (tmp_path / "state" / "partition-0").write_text("no folder")
    (owner,) = own(first, 0)
    assert dict(owner.next) == state[0]
    asyncio.run(first.checkpoint())
    assert "goes on with what is on this disk" in caplog.text
    assert "has no new checkpoint" in caplog.text
    first.release({0})
    with pytest.raises(Unavailable, match="no checkpoint can be copied"):
        own(second, 0)


def test_a_log_that_no_longer_reaches_is_refused_with_the_remedy(config):
    run(config, page())
    owned = owners(config)
    with pytest.raises(StaleLog, match=r"search\.actions-0 starts at offset 1, this state needs 0.*Restore a newer checkpoint"):
        own(owned, 0, log=dict.fromkeys(ALL, Reach(1, 99)))
    assert len(owned) == 0
    run(config, act("1"))  # the file was closed again


def test_a_log_that_lost_its_tail_is_refused_and_a_checkpoint_that_it_still_has_is_taken(config):
    older = run(config, page(), checkpoint=True)
    run(config, act("1"), checkpoint=True)
    shorter = {"impressions": Reach(0, 1), "actions": Reach(0, 0)}
    with pytest.raises(StaleLog, match=r"search\.actions-0 ends at offset 0, this state has applied up to 1: the log lost.*Stop the"):
        own(owners(config), 0, log=shorter)
    (config.folder / "partition-0.duckdb").unlink()
    (owner,) = own(owned := owners(config), 0, log=shorter)
    assert dict(owner.next) == older[0]
    owned.release({0})


@pytest.mark.parametrize("again", [8, None])  # an owner that dies before its first transaction, started with or without it
def test_an_empty_partition_begins_where_it_is_told(config, again):
    for begin in (8, again):
        log = dict.fromkeys(ALL, Reach(5, 99, begin))
        (owner,) = own(owned := owners(config), 0, log=log)
        assert dict(owner.next) == {"impressions": 8, "actions": 8}
        owned.release({0})
    with pytest.raises(StaleLog, match="starts at offset 9, this state needs 8"):
        own(owners(config), 0, log=dict.fromkeys(ALL, Reach(9, 99)))


def test_one_that_is_not_empty_goes_on_where_it_was(config):
    state = run(config, page())
    (owner,) = own(owned := owners(config), 0, log=dict.fromkeys(ALL, Reach(0, 99, 50)))
    assert dict(owner.next) == state[0]
    owned.release({0})


def test_rows_are_sent_again_when_their_topics_were_made_anew(config):
    (owner,) = own(owned := owners(config), 0)
    owner.apply([record(0, page(), 0)], 0)
    everything = {one.key for one in owner.take(10**15)}
    owner.sent(10**15)
    owner.mark()
    owned.look(Topics(1, IDS, OUTPUTS))
    assert not list(owner.take(10**15))
    owned.look(Topics(1, IDS, {"memory.q2e": "m"}))  # one was deleted; it may come back
    owned.look(Topics(1, IDS, OUTPUTS | {"state.shares": "anew"}))
    assert {one.key for one in owner.take(2 * 10**15)} == everything
    owned.release({0})
    (owner,) = own(owned := owners(config), 0)  # while no worker ran
    owner.mark()
    owned.release({0})


@pytest.mark.parametrize(
    ("now", "error", "words"),
    [
        (Topics(2, IDS, OUTPUTS), PartitionMismatch, "have 2 partitions, this worker began with 1.*topics migrate --partitions 2"),
        (
            Topics(1, IDS | {"search.actions": "x"}, OUTPUTS),
            StaleLog,
            r"search\.actions was made anew while .* \(id a, now x\)",
        ),
    ],
)
def test_inputs_that_change_under_a_worker_end_it(config, now, error, words):
    owned = owners(config)
    owned.look(Topics(0, {}, {}))  # all gone: they may come back
    with pytest.raises(error, match=words):
        owned.look(now)


def test_a_state_store_from_before_the_topics_grew_is_refused_and_one_from_after_replaces_the_local_file(config):
    run(config, page(), checkpoint=True)
    with pytest.raises(PartitionMismatch, match="has partition 0 of 1, the topics have 2 partitions; stop all workers and run"):
        Owners(config, Topics(2, IDS, OUTPUTS))
    state = StateStore.at(config.state_store)
    with PartitionStore.open(config.folder / "moved.duckdb", 0, 2) as store:
        store.check_topics(IDS)
        store.checkpoint()
        state.write(store.path, Checkpoint(0, 1, {"impressions": 1, "actions": 0}, "migrate", IDS, 2))
    (owner,) = own(owned := Owners(config, Topics(2, IDS, OUTPUTS)), 0)
    assert (owner.store.partitions, (config.folder / "partition-0.duckdb.replaced").exists()) == (2, True)
    owned.release({0})


def test_topics_that_were_made_anew_are_refused(config):
    run(config, page())
    with pytest.raises(StaleLog, match=r"search\.impressions was made anew"):
        own(owners(config, ids={**IDS, "search.impressions": "new"}), 0)
    run(config, act("1"))


def test_a_damaged_local_file_is_set_aside_and_the_checkpoint_taken_at_once(config):
    state = run(config, page(), checkpoint=True)
    path = config.folder / "partition-0.duckdb"
    path.write_bytes(b"no database" + path.read_bytes()[11:])
    assert run(config) == state
    assert (config.folder / "partition-0.duckdb.corrupt-1").exists()


def test_without_a_checkpoint_a_damaged_local_file_gives_way_to_the_log(config):
    state = run(config, page())
    (config.folder / "partition-0.duckdb").write_bytes(b"no database" * 2_000)
    assert run(config)[0] == {"impressions": 0, "actions": 0}
    assert run(config, page()) == state


def test_a_checkpoint_that_was_damaged_before_it_was_copied_is_passed_over(config, tmp_path):
    """Its bytes are what its manifest says, and yet they do not read."""
    older = run(config, page(), checkpoint=True)
    state, rotten = StateStore.at(config.state_store), tmp_path / "rotten.duckdb"
    rotten.write_bytes(b"no database" * 2_000)
    (best,) = state.best(0, IDS)
    state.write(rotten, replace(best, next={"impressions": 9, "actions": 9}))
    assert run(replace(config, folder=tmp_path / "other")) == older


def test_a_file_that_cannot_be_had_is_waited_for_with_a_word_then_given_up(config, monkeypatch, caplog):
    monkeypatch.setattr("streams.faust_app.owners.PATIENCE", 0.5)
    monkeypatch.setattr("streams.faust_app.owners.SILENCE", 0.1)
    run(config, page())
    with PartitionStore.open(config.folder / "partition-0.duckdb", 0, 1), pytest.raises(Unavailable, match="one owner at a time"):
        run(config)
    assert "partition 0 waits" in caplog.text


def test_a_log_that_seems_to_have_lost_its_end_is_asked_for_it_again(config):
    """A former owner may have applied what came after the ends were asked for."""
    owned = owners(config)
    (owner,) = own(owned, 0)
    for number in range(3):
        owner.apply([record(number, page(f"s{number}"), 0)], 0)
    owned.release({0})
    early, late = ({topic: Reach(0, end) for topic in ALL} for end in (2, 3))

    async def again(partition):
        return late

    async def never(partition):
        return early

    asyncio.run(owned.own({0}, {0: early}, again=again))
    owned.release({0})
    with pytest.raises(StaleLog, match="ends at offset 2"):
        asyncio.run(owned.own({0}, {0: early}, again=never))
