"""The embedded driver: stopped, killed and compacted anywhere, it ends where a driver ends that never stopped."""

import sqlite3
from contextlib import closing

import pytest

from schemas.codec import decode_event, encode
from schemas.errors import CorruptFile, PartitionMismatch, Unavailable
from schemas.events import SuggestAccept, SuggestImpression
from schemas.topics import OUTCOMES
from streams.embedded.driver import PARTITIONS, TICK, EmbeddedDriver
from streams.embedded.log import MemoryLog, SqliteLog
from streams.kernel.share import digest_state
from streams.partition_store import PartitionStore
from streams.partitioning import partition
from tests.streams.searchbox import RULES, START, WINDOW, act, counts, page, traffic


def put(driver, lines):
    """Emit what is an event, and append what is none at the partition of its key."""
    for topic, time, key, value in lines:
        if key == "x":
            driver._append(topic, partition(key, driver.log.partitions), time, value)
        else:
            driver.emit(decode_event(value), time)


def digest(driver):
    return digest_state([driver.share(p) for p in range(driver.log.partitions)], driver.kernels)


def never_stopped(lines, partitions=PARTITIONS):
    driver = EmbeddedDriver(RULES, partitions=partitions)
    put(driver, lines)
    driver.step()
    return digest(driver)


def compact(folder, partitions=PARTITIONS):
    for p in range(partitions):
        with PartitionStore.open(folder / f"partition-{p}.duckdb", p, partitions) as store:
            store.compact(RULES, 0)


@pytest.mark.parametrize("every", [3, 17])
def test_a_driver_that_stops_and_resumes_anywhere_ends_the_same(tmp_path, every):
    """`every` lines it is closed: after the log was written, or after some steps, and compacted in between."""
    lines = traffic(every)
    expected = never_stopped(lines)
    stops = range(0, len(lines), every)
    for stop in stops if every > 10 else stops[:12]:
        with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
            upto = lines[stop : stop + every] if every > 10 or stop < stops[11] else lines[stop:]
            put(driver, upto)
            if stop // every % 3:
                driver.step(limit=1 + stop % 5)
        if stop // every % 4 == 3:
            compact(tmp_path)
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        driver.step()
        assert digest(driver) == expected
        assert driver.step() == 0


class KilledError(Exception):
    pass


def kill_before_store_commits(driver, after):
    """The process ends at commit number `after` of the stores: the log has been written by then, the store has not."""
    left = [after]
    for store in driver._stores:

        def commit(changes, *, sent=None, commit=store.commit):
            left[0] -= 1
            if left[0] == 0:
                raise KilledError
            commit(changes, sent=sent)

        store.commit = commit


def step_through_kills(folder, limit):
    """Step until everything is applied, killed at every third commit; returns how often it was killed."""
    kills = 0
    while True:
        with closing(EmbeddedDriver(RULES, folder=folder)) as driver:
            kill_before_store_commits(driver, 3)
            try:
                driver.step(limit=limit)
            except KilledError:
                kills += 1
            else:
                return kills


def test_a_kill_between_the_logs_commit_and_the_stores_changes_nothing(tmp_path):
    lines = traffic(7, searches=12)
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        put(driver, lines)
    assert step_through_kills(tmp_path, limit=6) > 3
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        assert digest(driver) == never_stopped(lines)


def test_misrouted_records_count_once_however_often_their_forwarding_was_killed(tmp_path):
    events = [("impressions", page(f"s{n}")) for n in range(8)] + [("actions", act("1", search=f"s{n}")) for n in range(8)]
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        for number, (topic, event) in enumerate(events):
            driver._append(topic, number % PARTITIONS, START, encode(event))
    assert step_through_kills(tmp_path, limit=1) > 3
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        after = digest(driver)
        assert sum(driver.log.end("impressions", p) for p in range(PARTITIONS)) > 8  # what was forwarded stands in the log again
    right = never_stopped([(topic, START, event.search_id, encode(event)) for topic, event in events])
    assert (after["memory"], after["tallies"], after["open"]) == (right["memory"], right["tallies"], right["open"])


def test_what_is_forwarded_is_on_disk_before_its_original_counts_as_applied(tmp_path):
    right, seen = partition("s", PARTITIONS), []
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        wrong = (right + 1) % PARTITIONS
        driver._append("impressions", wrong, START, encode(page("s")))
        store, commit = driver._stores[wrong], driver._stores[wrong].commit

        def look(changes):
            with closing(sqlite3.connect(tmp_path / "log.sqlite")) as other:
                seen.append(other.execute("SELECT partition FROM log WHERE topic = 'impressions'").fetchall())
            commit(changes)

        store.commit = look
        driver.step()
    assert seen == [[(wrong,), (right,)]] or seen == [[(right,), (wrong,)]]


def test_events_go_to_their_partitions_and_changes_are_told(tmp_path):
    told = []
    driver = EmbeddedDriver(RULES, on_changes=[lambda p, changes: told.append((p, changes))])
    driver.emit(page("s"), START)
    driver.emit(act("1", search="s"), START)
    driver.emit(SuggestImpression(suggest_id="g", ts=START, prefix="h", suggestions=["halo"]), START)
    driver.emit(SuggestAccept(suggest_id="g", ts=START, suggestion="halo", position=1), START)
    assert driver.step() == 4 + 2 * PARTITIONS  # the first event brought ticks
    (where,) = [p for p, changes in told if changes.memory]
    assert where == partition("s", PARTITIONS)
    assert counts(next(changes for p, changes in told if changes.memory))["a"] == ({0: 1}, {"click": 1}, 1)
    assert sum(changes.counters["suggest_accept"] for _, changes in told) == 1
    assert driver.share(where).memory.keys() == driver.shares[where].memory.keys() != set()
    assert driver.step() == 0


def test_time_passes_on_idle_partitions_with_events_of_others():
    told = []
    driver = EmbeddedDriver(RULES, on_changes=[lambda p, changes: told.append((p, changes))])
    driver.emit(page("s"), START)
    other = next(name for name in "abcdefgh" if partition(name, PARTITIONS) != partition("s", PARTITIONS))
    driver.emit(page(other, at=TICK), START + TICK)
    driver.emit(page(other, at=TICK + 1), START + TICK + 1)
    driver.step()
    assert [out for _, changes in told for out in changes.outgoing if out.topic == OUTCOMES.name] == []
    driver.tick(START + TICK + 1)
    driver.step()
    finals = [out for _, changes in told for out in changes.outgoing if out.topic == OUTCOMES.name]
    assert [out.partition for out in finals] == [partition("s", PARTITIONS)]


def test_a_step_applies_in_pieces_what_one_step_applies_at_once():
    lines = traffic(9)
    driver = EmbeddedDriver(RULES)
    put(driver, lines)
    driver.step(limit=2)
    assert digest(driver) == never_stopped(lines)


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_number_of_partitions_decides_nothing(partitions):
    lines = traffic(11)
    lines.append(("impressions", lines[-1][1] + 3 * WINDOW, "end", encode(page("end", at=lines[-1][1] - START + 3 * WINDOW))))
    assert never_stopped(lines, partitions) == never_stopped(lines)


def test_a_folder_has_one_partition_count_and_one_owner(tmp_path):
    with closing(EmbeddedDriver(RULES, folder=tmp_path)) as driver:
        driver.emit(page(), START)
        driver.step()
        with pytest.raises(Unavailable, match="one owner at a time"):
            EmbeddedDriver(RULES, folder=tmp_path)
    with pytest.raises(PartitionMismatch, match="has 4 partitions, asked for 2; use 4"):
        EmbeddedDriver(RULES, folder=tmp_path, partitions=2)
    EmbeddedDriver(RULES, folder=tmp_path).close()


def test_the_log_keeps_order_and_offsets_over_restarts(tmp_path):
    path = tmp_path / "log.sqlite"
    log = SqliteLog(path, 2)
    assert [log.append("actions", 1, 9, b"a"), log.append("impressions", 1, 8, b"b"), log.append("actions", 1, 3, b"c")] == [0, 0, 1]
    log.close()
    log = SqliteLog(path, 2)
    assert (log.append("actions", 1, 4, b"d"), log.end("actions", 1), log.end("actions", 0)) == (2, 3, 0)
    assert [(one.offset, one.time, one.value) for one in log.read("actions", 1, 1, 9)] == [(1, 3, b"c"), (2, 4, b"d")]
    assert [one.value for one in log.read("actions", 1, 0, 2)] == [b"a", b"c"]
    assert log.read("actions", 0, 0, 9) == []
    log.close()


def test_a_log_in_memory_answers_alike_and_forgets_what_was_passed(tmp_path):
    file, memory = SqliteLog(tmp_path / "log.sqlite", 2), MemoryLog(2)
    for log in (file, memory):
        for number in range(5):
            assert log.append("actions", number % 2, number, b"%d" % number) == number // 2
        log.commit()
    for topic, p, start, limit in (("actions", 0, 0, 2), ("actions", 0, 1, 9), ("actions", 0, 3, 9), ("impressions", 0, 0, 9)):
        assert memory.read(topic, p, start, limit) == file.read(topic, p, start, limit)
        assert memory.end(topic, p) == file.end(topic, p)
    assert memory.read("actions", 0, 0, 9) == []  # offset 3 was asked for: what is below was applied
    file.close()


def test_what_was_not_committed_to_the_log_is_gone_after_a_kill_and_the_rest_is_there(tmp_path):
    path = tmp_path / "log.sqlite"
    log = SqliteLog(path, 1)
    log.append("actions", 0, 1, b"kept")
    log.commit()
    log.append("actions", 0, 2, b"lost")
    with closing(sqlite3.connect(path)) as other:  # as another process would see the file now
        assert other.execute("SELECT value FROM log").fetchall() == [(b"kept",)]
        assert other.execute("SELECT partitions FROM shape").fetchall() == [(1,)]
    log.close()


def test_a_file_that_is_no_log_is_refused(tmp_path):
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"no database, but long enough to look like one" * 100)
    with pytest.raises(CorruptFile, match="is not a log"):
        SqliteLog(path, 4)
