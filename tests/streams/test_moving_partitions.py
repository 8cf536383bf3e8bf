"""More partitions for a run: the same state afterwards, whatever is cut off on the way, and a run that goes on as if it had always had
them. No broker: records are placed by hand."""

import pytest

from memory_index.store import Store
from schemas.errors import InvalidSetting, NotFound, PartitionMismatch, StaleLog, Unavailable
from streams.kernel.changes import INPUTS, Record
from streams.moving.migrate import carry_out, plan
from streams.moving.spreading import file_of
from streams.partition_store import PartitionStore, schema
from streams.partitioning import partition as partition_of
from streams.replaying.recording import Line
from streams.replaying.replay import records_of, replay
from streams.replaying.stored_replay import folders_digest
from streams.state_store import Checkpoint, StateStore
from tests.streams.searchbox import RULES, traffic

IDS = {"search.impressions": "i", "search.actions": "a"}
LINES = [Line(*line) for line in traffic(5)]
CUT = 2 * len(LINES) // 5


class Logs:
    """The records of both inputs by partition, as they are appended; the partition count may grow."""

    def __init__(self, partitions):
        self.logs = [{topic: [] for topic in INPUTS} for _ in range(partitions)]

    @property
    def ends(self):
        return {number: {topic: len(log[topic]) for topic in INPUTS} for number, log in enumerate(self.logs)}

    @property
    def counts(self):
        return dict.fromkeys(IDS, len(self.logs))

    def grow(self, partitions):
        self.logs += [{topic: [] for topic in INPUTS} for _ in range(partitions - len(self.logs))]

    def put(self, lines, *, end=False):
        """Lines at their partitions; with `end`, the ticks after which all searches close."""
        for log, more in zip(self.logs, records_of(lines, len(self.logs), rules=RULES), strict=True):
            for topic in INPUTS:
                kept = [one for one in more[topic] if end or one.time <= lines[-1].time]
                log[topic] += [one._replace(offset=len(log[topic]) + at) for at, one in enumerate(kept)]

    def work(self, folder):
        """Workers apply what is there; what they send on is appended."""
        for number, log in enumerate(self.logs):
            with PartitionStore.open(file_of(folder, number), number, len(self.logs)) as store:
                store.check_topics(IDS)
                kernel = store.kernel(RULES)
                changes = kernel.apply([record for topic in INPUTS for record in log[topic][kernel.next[topic] :]])
                store.commit(changes)
                for out in changes.outgoing:
                    if out.topic in IDS:
                        topic = "impressions" if out.topic == "search.impressions" else "actions"
                        there = self.logs[out.partition][topic]
                        there.append(Record(topic, len(there), out.time, out.value, out.key.encode()))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "worker").mkdir()
    return tmp_path / "worker"


@pytest.fixture
def logs(folder):
    """Two partitions that applied all of the first lines, at the same record time, as ticks make it."""
    logs = Logs(2)
    logs.put(LINES[:CUT])
    level(logs, LINES[CUT - 1].time)
    logs.work(folder)
    return logs


def level(logs, time):
    from schemas.codec import encode
    from schemas.events import Tick

    for log in logs.logs:
        for topic in INPUTS:
            log[topic].append(Record(topic, len(log[topic]), time, encode(Tick())))


def planned(logs, partitions, *folders, state=None, **more):
    given = {"counts": logs.counts, "ids": IDS, "ends": logs.ends} | more
    return plan(partitions, folders=folders, state=state, **given)


def move(logs, partitions, *folders, state=None, grow=None, **more):
    if (wanted := planned(logs, partitions, *folders, state=state, **more)) is None:
        return False
    carry_out(wanted, folders=folders, state=state, grow=grow or logs.grow, rules=RULES)
    return True


def test_the_state_is_the_same_and_a_run_that_goes_on_is_that_of_the_whole_log(folder, logs):
    partitions = 5
    before = folders_digest([folder], rules=RULES)
    assert move(logs, partitions, folder)
    assert folders_digest([folder], rules=RULES) == before
    assert not move(logs, partitions, folder)
    logs.put(LINES[CUT:], end=True)
    logs.work(folder)
    whole = replay(LINES, partitions=partitions, batch=99, interleave="even", rules=RULES)
    assert folders_digest([folder], rules=RULES) == whole


def test_what_was_open_is_where_its_events_will_go(folder, logs):
    move(logs, 5, folder)
    places = {}
    for number in range(5):
        with PartitionStore.open(file_of(folder, number), number, 5) as store:
            kernel = store.kernel(RULES)
            places |= dict.fromkeys([*kernel.searches.open, *kernel.searches.held], number)
            assert len(kernel.ids) > 0
    assert len(set(places.values())) > 2
    assert places == {search: partition_of(search, 5) for search in places}


def test_moving_twice_leaves_each_id_once(folder, logs):
    before = {row for number in range(2) for row in ids_of(folder, number)}
    move(logs, 3, folder)
    move(logs, 5, folder)
    for number in range(5):
        assert sorted(ids_of(folder, number)) == sorted(before)


def ids_of(folder, number):
    with Store(file_of(folder, number), schema()) as store:
        return [tuple(row.values()) for row in store.query("SELECT bucket, id, content FROM ids").to_pylist()]


def test_records_that_were_placed_by_the_old_count_are_sent_on_and_count_once(folder, logs):
    """Producers learn of new partitions some minutes late."""
    move(logs, 3, folder)
    misplaced = 0
    for line in LINES[CUT : CUT + 2]:
        number = partition_of(line.key, 2)
        misplaced += number != partition_of(line.key, 3)
        log = logs.logs[number][line.topic]
        log.append(Record(line.topic, len(log), line.time, line.value, line.key.encode()))
        logs.work(folder)
        logs.work(folder)  # what was sent on to a lower partition
    assert misplaced
    logs.put(LINES[CUT + 2 :], end=True)
    logs.work(folder)
    assert folders_digest([folder], rules=RULES) == replay(LINES, partitions=3, batch=99, interleave="even", rules=RULES)


class Cut(Exception):
    pass


@pytest.mark.parametrize("step", ["spread", "before growing", "inputs half grown", "grown", "one file in place", "all but the last"])
def test_cut_off_anywhere_the_same_command_goes_on(folder, logs, monkeypatch, step):
    before, counts = folders_digest([folder], rules=RULES), logs.counts

    def cut(*_, **__):
        raise Cut

    def grow(partitions):
        if step == "before growing":
            raise Cut
        if step == "inputs half grown":
            counts["search.actions"] = partitions
            raise Cut
        logs.grow(partitions)
        counts.update(logs.counts)
        if step == "grown":
            raise Cut

    with monkeypatch.context() as patched:
        import streams.moving.migrate as module

        if step == "spread":
            patched.setattr(module, "spread", cut)
        left = {"one file in place": 2, "all but the last": 4}.get(step)
        if left:
            real, moves = module.os.replace, iter(range(99))

            def replace_(old, new):
                if next(moves) >= left + 1:
                    raise Cut
                real(old, new)

            patched.setattr(module.os, "replace", replace_)
        with pytest.raises(Cut):
            move(logs, 4, folder, counts=counts, grow=grow)
    if step in ("spread", "before growing"):
        assert folders_digest([folder], rules=RULES) == before  # workers may go on with the old count
    assert move(logs, 4, folder, counts=counts)
    assert folders_digest([folder], rules=RULES) == before
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == []


def test_the_new_state_goes_to_the_state_store_whoever_has_the_newest(folder, logs, tmp_path):
    """Two workers with a disk each: one partition is newest on a disk, the other in the state store."""
    before = folders_digest([folder], rules=RULES)
    state, other = StateStore.at(str(tmp_path / "state")), tmp_path / "other"
    other.mkdir()
    with PartitionStore.open(file_of(folder, 1), 1, 2) as store:
        store.checkpoint()
        state.write(store.path, Checkpoint(1, 5, store.next_offsets(), "one", store.topic_ids(), 2))
    file_of(folder, 1).unlink()
    with PartitionStore.open(file_of(other, 1), 1, 2) as store:  # an older one that was left behind
        store.check_topics(IDS)
    assert move(logs, 4, folder, other, state=state)
    assert not move(logs, 4, folder, other, state=state)
    assert list(folder.glob("*.duckdb")) + list(other.glob("*.duckdb")) == []
    for number in range(4):
        (best,) = [one for one in state.best(number, IDS) if one.partitions == 4]
        state.fetch(best, file_of(other, number))
    assert folders_digest([other], rules=RULES) == before


@pytest.mark.parametrize(
    ("partitions", "more", "error", "words"),
    [
        (1, {}, InvalidSetting, "have more than 1 partitions already .*Kafka takes none away"),
        (4, {"ids": IDS | {"search.actions": "new"}}, StaleLog, "belongs to a search.actions that was deleted"),
        (4, {"ends": "more"}, PartitionMismatch, "2 records are not applied yet .*search.impressions-1.*--with-unread"),
        (4, {"ends": "less"}, StaleLog, "search.actions-0: the log ends before"),
    ],
)
def test_what_is_refused(folder, logs, partitions, more, error, words):
    if isinstance(more.get("ends"), str):
        ends = logs.ends
        ends[1]["impressions"] += 2 * (more["ends"] == "more")
        ends[0]["actions"] -= more["ends"] == "less"
        more = {"ends": ends}
    with pytest.raises(error, match=words):
        planned(logs, partitions, folder, **more)
    assert folders_digest([folder], rules=RULES)


def test_a_missing_partition_or_a_second_folder_is_refused(folder, logs, tmp_path):
    with pytest.raises(InvalidSetting, match="2 folders and no state store"):
        planned(logs, 4, folder, tmp_path)
    file_of(folder, 0).rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound, match=r"of 2 partitions the state of \[0\] is in no folder"):
        planned(logs, 4, folder)
    with pytest.raises(NotFound, match="no state in"):
        planned(logs, 4, tmp_path)


def test_unread_records_are_said_and_let_through_on_request(folder, logs):
    ends = logs.ends
    ends[0]["actions"] += 3
    wanted = planned(logs, 4, folder, ends=ends, with_unread=True)
    assert (wanted.before, wanted.after, dict(wanted.unread), wanted.grown) == (2, 4, {"search.actions-0": 3}, False)
    assert [line.partition(":")[0] for line in wanted.lines()[:2]] == ["partition 0", "partition 1"]
    assert planned(logs, 4, folder, ends=ends, counts=dict.fromkeys(IDS, 4)).grown  # grown behind our back: workers cannot go on


def test_an_erasure_that_is_under_way_is_waited_for(folder, logs):
    with Store(file_of(folder, 1), schema()) as store:
        store.append({}, [("INSERT INTO erased VALUES (7, 0, 5, 5, 5, 0, 0, 0, false)", [])])
    with pytest.raises(Unavailable, match=r"1 erasures are not done yet in .*partition-1.duckdb; let the workers finish"):
        move(logs, 3, folder)
    with Store(file_of(folder, 1), schema()) as store:
        store.append({}, [("DELETE FROM erased", [])])
    with Store(file_of(folder, 0), schema()) as store:
        store.append({}, [("INSERT INTO erased VALUES (7, 0, 5, 5, 5, 0, 0, 0, true)", [])])
    assert move(logs, 3, folder)
    with PartitionStore.open(file_of(folder, 2), 2, 3) as new:
        assert [(one.client, one.until, one.done) for one in new.erasings()] == [(7, 5, True)]
