"""One recorded log, replayed in every way: one digest."""

from dataclasses import replace
from itertools import product

import pytest

from ops.definitions import definition
from ops.wiring import EmbeddedLoop
from schemas.candidates import Request
from schemas.entities import Entity
from schemas.errors import CorruptFile, InvalidSetting, NotFound, Unavailable
from schemas.events import Action
from schemas.ids import query_class, query_key
from streams.kernel.changes import Record
from streams.kernel.join import RULES
from streams.kernel.share import digest_state
from streams.partition_store import PartitionStore
from streams.replaying.recording import Recorder, read_log
from streams.replaying.replay import INTERLEAVINGS, interleaved, pieces, placed, replay
from streams.replaying.stored_replay import folders_digest, replay_with_stops

MINUTE = 60_000
START = 20_000 * 86_400_000
WORDS = ("halo", "gears", "mario", "zelda", "racing", "soccer")
ONE_WAY = {"partitions": 4, "batch": 17, "interleave": "even"}


def request(number, page=1):
    text = f"{WORDS[number % 6]} {WORDS[number % 5]}"
    key = query_key(text)
    return Request(
        f"s{number}", START + number * 4 * MINUTE, text, key, query_class(key), client_id=f"c{number % 7}", page=page, size=3
    )  # fmt: skip


def action(number, entity, *, after, kind="click"):
    """Somebody's action, `after` minutes from its search's page."""
    ts = START + (number * 4 + after) * MINUTE
    return Action(action_id=f"a{number}-{entity}-{kind}", search_id=f"s{number}", ts=ts, kind=kind, entity_id=entity)


def actions(number):
    """In time, for all: a click. For some: on an entity of no page, after the window, before the page, sent twice, after the final."""
    yield action(number, f"e{number % 12:02}", after=1)
    extra = [
        action(number, "e29", after=2, kind="purchase"),
        action(number, "e01", after=45),
        action(number, "e02", after=-1),
        action(number, f"e{number % 12:02}", after=1),
        action(number, "e03", after=25, kind="like"),
    ]
    yield extra[number % 5]


def run(folder, log, *, searches=48):
    """Serve and learn as the embedded loop does; the digest of its own state once time has passed."""
    entities = [Entity(entity_id=f"e{n:02}", entity_type="game", title=f"{WORDS[n % 6]} {WORDS[n % 5]} {n}") for n in range(30)]
    events = [(one.ts, 0, one) for n in range(searches) for one in [request(n)]]
    events += [(one.ts + MINUTE, 0, replace(one, page=2)) for _, _, one in events[::6]]
    events += [(one.ts, 1, one) for n in range(searches) for one in actions(n)]
    with Recorder(log) as recorder:
        loop = EmbeddedLoop(entities, definition(min_clients=1), folder=folder, clock=lambda: 0.0, record=recorder.event)
        for time, _, one in sorted(events, key=lambda event: event[:2]):
            if isinstance(one, Action):
                loop.emit(one, time)
            else:
                loop.search(replace(one, ts=time) if one.page > 1 else one)
            loop.step()
    driver = loop.driver
    driver.tick(events[-1][0] + 100 * MINUTE)
    loop.step()
    own = digest_state([driver.share(p) for p in range(4)], driver.kernels)
    loop.close()
    return own


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The lines, the digest of the loop that recorded them, and the folder it left."""
    folder = tmp_path_factory.mktemp("replay")
    own = run(folder / "run", folder / "log.jsonl.gz")
    return list(read_log(folder / "log.jsonl.gz")), own, folder / "run"


def test_the_log_has_everything_that_must_not_decide(recorded):
    lines, _, folder = recorded
    assert [len([line for line in lines if line.topic == topic]) for topic in ("impressions", "actions")] == [56, 96]
    totals = {}
    for p in range(4):
        with PartitionStore.open(folder / f"partition-{p}.duckdb", p, 4) as store:
            for name, found in store.share().sets.items():
                totals[name] = totals.get(name, 0) + found.count
    assert totals["final"] == 48
    assert totals["amendment"] > 0
    assert totals["too_late"] > 0


@pytest.mark.parametrize(("partitions", "batch", "interleave"), list(product([1, 4, 8], [1, 17, 1000], INTERLEAVINGS)))
def test_partitions_batches_and_interleavings_give_the_digest_of_the_run(recorded, partitions, batch, interleave):
    lines, own, _ = recorded
    assert replay(lines, partitions=partitions, batch=batch, interleave=interleave) == own


@pytest.mark.parametrize(("partitions", "batch", "interleave"), [(1, 17, "impressions-first"), (4, 1000, "even"), (2, 17, "actions-first")])
def test_ten_stops_give_the_digest_of_the_run(recorded, tmp_path, partitions, batch, interleave):
    lines, own, _ = recorded
    how = {"partitions": partitions, "batch": batch, "interleave": interleave}
    assert replay_with_stops(lines, tmp_path, **how, stops=10) == own
    assert folders_digest([tmp_path]) == own


def test_a_missing_line_changes_the_digest_and_the_key_of_people_too(recorded):
    lines, own, _ = recorded
    shorter = replay(lines[:-1], **ONE_WAY)
    keyed = replay(lines, **ONE_WAY, rules=replace(RULES, client_key=b"k"))
    assert shorter["state"] != own["state"] != keyed["state"]
    assert keyed["memory"] != own["memory"]
    assert keyed["tallies"] == own["tallies"]


def test_ticks_go_before_lines_when_ten_minutes_have_passed_and_once_past_the_end(recorded):
    line = recorded[0][0]
    lines = [line._replace(time=START + minutes * MINUTE) for minutes in (0, 9, 10, 35)]
    sent = list(placed(lines, 2, rules=RULES))
    ticks = [(one.time - START) // MINUTE for one in sent if one.key is None]
    # at 10 and 35 and, a window of 30 and settle of 10 later, at 75: to two partitions of two topics each
    assert ticks == [10] * 4 + [35] * 4 + [75] * 4
    assert [one.key is None for one in sent] == [False] * 2 + [True] * 4 + [False] + [True] * 4 + [False] + [True] * 4
    assert {(one.topic, one.partition) for one in sent[-4:]} == {(topic, p) for topic in ("impressions", "actions") for p in (0, 1)}
    assert list(placed([], 2, rules=RULES)) == []


def test_interleavings_and_pieces_by_hand():
    pages, acts = ([Record(topic, n, 0, b"") for n in range(count)] for topic, count in (("impressions", 3), ("actions", 1)))
    log = {"impressions": pages, "actions": acts}
    assert interleaved(log, "impressions-first") == [*pages, *acts]
    assert interleaved(log, "actions-first") == [*acts, *pages]
    assert interleaved(log, "even") == [pages[0], acts[0], pages[1], pages[2]]
    assert [list(piece) for piece in pieces(range(7), 3)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [len(piece) for piece in pieces(range(2), 4)] == [0, 1, 0, 1]


def test_progress_ends_at_all(recorded):
    told = []
    replay(recorded[0], **ONE_WAY, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > len(recorded[0])
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("wrong", [{"partitions": 0}, {"batch": 0}, {"interleave": "odd"}])
def test_a_replay_that_cannot_be_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(InvalidSetting, match=name):
        replay([], **{**ONE_WAY, **wrong})


def test_partitions_may_lie_in_several_folders_and_the_file_that_applied_most_counts(recorded, tmp_path):
    lines, own, _ = recorded
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    replay_with_stops(lines, one, **ONE_WAY, stops=0)
    for p in (1, 3):
        (one / f"partition-{p}.duckdb").rename(two / f"partition-{p}.duckdb")
    with PartitionStore.open(two / "partition-0.duckdb", 0, 4):
        pass  # partition 0 was here before it applied anything
    assert folders_digest([two, one]) == folders_digest([one, two]) == own
    with pytest.raises(NotFound, match=r"partitions \[1, 3\] are in none of .*; give the folders of all workers"):
        folders_digest([one])


def test_folders_that_cannot_be_compared_are_refused(recorded, tmp_path):
    with pytest.raises(NotFound, match="give the folder of an embedded run"):
        folders_digest([tmp_path])
    for p, partitions in ((0, 2), (1, 3)):
        PartitionStore.open(tmp_path / f"partition-{p}.duckdb", p, partitions).close()
    with pytest.raises(CorruptFile, match=r"runs with \[2, 3\] partitions"):
        folders_digest([tmp_path])
    with PartitionStore.open(tmp_path / "partition-0.duckdb", 0, 2), pytest.raises(Unavailable):
        folders_digest([tmp_path])
