"""Steps of an erasure: crashes between any two of them, repeats, other owners, sketches, and what is said about it."""

import shutil
from functools import partial

import pytest

from memory_index.erasure import erase_outcomes
from memory_index.outcome_log import OutcomeLog
from schemas.base import DAY_MS
from schemas.events import Tick
from schemas.topics import MEMORY, OUTCOMES
from streams.erasing.eraser import take_away
from streams.kernel.changes import INPUTS
from streams.publishing.concluding import concluded
from tests.streams.erasing_rig import Rig, hashed
from tests.streams.searchbox import MIN, START, WINDOW, act, page, record, records

UNTIL = START + 5 * DAY_MS


class Log:
    """Events of one partition in order, with offsets."""

    def __init__(self):
        self.records, self._next = [], dict.fromkeys(INPUTS, 0)

    def put(self, event, at, topic=None):
        one = record(0, event, at, topic)
        self.records.append(one._replace(offset=self._next[one.topic]))
        self._next[one.topic] += 1

    def search(self, name, who, at, *, entity="a", acts=1, text="halo 3"):
        self.put(page(name, at=at, client_id=who, query={"text": text}), at)
        for number in range(acts):
            self.put(act(str(number), search=name, at=at + MIN, entity=entity), at + MIN)

    def tick(self, at):
        for topic in INPUTS:
            self.put(Tick(), at, topic)


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path / "partition-0.duckdb")
    yield made
    made.owner.store.close()


def replayed(tmp_path, log, *erased):
    other = Rig(tmp_path / f"replayed-{len(list(tmp_path.iterdir()))}.duckdb")
    for who, until in erased:
        other.erase(who, until)
    other.apply(log.records)
    digest = other.digest()
    other.owner.close()
    return digest


def busy(people=3, *, end=10):
    log = Log()
    for number in range(6):
        log.search(f"s{number}", f"u{number % people}", number * 40 * MIN)
    log.tick(end * 60 * MIN)
    return log


@pytest.mark.parametrize("crash_after", range(7))
def test_a_crash_after_any_step_changes_nothing(rig, tmp_path, crash_after):
    log = busy()
    rig.apply(log.records)
    steps = [rig.send, lambda: rig.erase("u1", UNTIL), rig.take_away, rig.send, rig.pass_ten_minutes, rig.tidy, rig.send]
    for number, step in enumerate(steps):
        step()
        if number == crash_after:
            rig.crash()
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))
    (said,) = rig.told()
    assert (said.by, said.searches, said.waiting, said.until) == ("0", 2, False, UNTIL)


def test_a_crash_in_the_middle_of_a_step_leaves_it_undone(rig, tmp_path):
    log = busy()
    rig.apply(log.records)
    rig.send()
    rig.erase("u1", UNTIL)
    assert rig.look() is not None  # found, and not yet committed
    before = rig.digest()
    rig.crash()
    assert rig.digest() == before
    assert rig.take_away() == 2
    assert rig.take_away() == 0
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))


def test_what_was_concluded_and_not_sent_is_found_too(rig, tmp_path):
    log = busy()
    rig.apply(log.records)
    rig.erase("u1", UNTIL)
    assert OUTCOMES.name not in rig.topics
    assert rig.take_away() == 2
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))


def test_what_is_on_the_topic_and_sent_again_is_taken_away_once(rig, tmp_path):
    log = busy()
    rig.apply(log.records)
    rig.topics = {OUTCOMES.name: [out for out in rig.owner.take(rig.now) if out.topic == OUTCOMES.name]}  # and never acknowledged
    rig.topics[OUTCOMES.name] *= 2
    rig.crash()
    rig.erase("u1", UNTIL)
    assert rig.take_away() == 2
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))


def test_open_searches_are_taken_away_when_their_window_has_passed(rig, tmp_path):
    log = busy(end=5)
    log.search("open", "u1", 5 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    rig.erase("u1", UNTIL)
    assert rig.take_away() == 2
    assert rig.take_away() == 0
    log.put(act("more", search="open", at=5 * 60 * MIN + 20 * MIN, kind="purchase"), 5 * 60 * MIN + 20 * MIN)
    log.tick(5 * 60 * MIN + WINDOW + MIN)
    rig.apply(log.records)
    rig.send()
    assert rig.take_away() == 1
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))
    assert [(said.searches, said.waiting) for said in rig.told()] == [(2, True)]  # the newest word is not sent yet


def test_an_erasure_of_nobody_finds_nothing_and_is_done(rig):
    rig.apply(busy().records)
    rig.send()
    before = rig.digest()
    rig.erase("nobody", UNTIL)
    assert rig.take_away() == 0
    rig.send()
    rig.pass_ten_minutes()
    assert rig.tidy()
    rig.send()
    assert rig.digest() == before
    assert [(said.searches, said.waiting) for said in rig.told()] == [(0, False)]


def test_a_second_erasure_takes_what_came_since_the_first(rig, tmp_path):
    log = busy()
    rig.apply(log.records)
    rig.send()
    rig.erase("u1", START + 60 * MIN)
    assert rig.take_away() == 1
    log.search("later", "u1", 11 * 60 * MIN)
    log.tick(13 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    assert rig.digest() == replayed(tmp_path, log, ("u1", START + 60 * MIN))
    rig.erase("u1", UNTIL)
    assert rig.take_away() == 2
    assert rig.digest() == replayed(tmp_path, log, ("u1", UNTIL))
    rig.erase("u1", UNTIL)
    assert rig.take_away() == 0


def test_an_owner_that_starts_from_an_older_checkpoint_takes_away_only_what_it_counted(rig, tmp_path):
    """The topic holds finals of searches that this state never counted: they came after its checkpoint, when the erasure was known."""
    log = busy()
    rig.apply(log.records[:7])
    rig.owner.compact(rig.now)
    shutil.copy(rig.path, tmp_path / "checkpoint.duckdb")
    rig.apply(log.records[7:])
    rig.send()
    assert len(rig.outcomes()) == 6
    other = Rig(tmp_path / "checkpoint.duckdb")
    other.topics = rig.topics
    other.erase("u1", UNTIL)
    other.take_away()
    other.apply(log.records)
    other.send()
    other.take_away()
    assert other.digest() == replayed(tmp_path, log, ("u1", UNTIL))
    other.owner.close()


def test_a_state_that_began_in_the_middle_of_the_log_takes_away_only_what_it_counted(rig, tmp_path):
    log = busy()
    before = Rig(tmp_path / "before.duckdb")
    before.apply(log.records)
    before.send()
    before.owner.close()
    late = [one for one in log.records if one.time >= START + 110 * MIN]
    rig.topics = before.topics
    rig.apply(late)
    rig.send()
    rig.erase("u1", UNTIL)
    assert rig.take_away() == 1  # s4; s1 was before
    other = Rig(tmp_path / "other.duckdb")
    other.erase("u1", UNTIL)
    other.apply(late)
    assert rig.digest() == other.digest()
    other.owner.close()


@pytest.mark.parametrize("how", ["final", "amendment", "open"])
def test_a_full_sketch_is_filled_again_wherever_the_ninth_stands(rig, tmp_path, how):
    people = sorted((f"u{number}" for number in range(14)), key=hashed)
    ninth, log = people[8], Log()
    for number, who in enumerate(people):
        if who != ninth or how != "open":
            log.search(f"s-{who}", who, number * MIN, acts=who != ninth or how == "final")
    if how == "amendment":
        log.put(act("late", search=f"s-{ninth}", at=25 * MIN), 25 * MIN)
    log.tick(5 * 60 * MIN)
    if how == "open":
        log.search("open", ninth, 5 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    rig.erase(people[3], UNTIL)
    assert rig.take_away() == 1
    assert rig.digest() == replayed(tmp_path, log, (people[3], UNTIL))
    rows = {key[2]: clients for key, (_, clients) in rig.owner.store.share().memory.items()}
    assert rows["a"] == {hashed(who) for who in (*people[:3], *people[4:9])}


def test_a_full_sketch_whose_outcomes_are_gone_keeps_seven(rig):
    log = Log()
    for number in range(14):
        log.search(f"s{number}", f"u{number}", number * MIN)
    log.tick(5 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    smallest = min((hashed(f"u{number}"), number) for number in range(14))[1]
    rig.topics[OUTCOMES.name] = [out for out in rig.topics[OUTCOMES.name] if b'"s%d"' % smallest in out.value]
    rig.erase(f"u{smallest}", UNTIL)
    rig.take_away()
    rows = {key[2]: clients for key, (_, clients) in rig.owner.store.share().memory.items()}
    assert len(rows["a"]) == 7
    assert hashed(f"u{smallest}") not in rows["a"]


def test_who_searched_again_after_the_erasure_stays_in_the_sketch(rig, tmp_path):
    log = Log()
    log.search("before", "u1", 0)
    log.search("after", "u1", 60 * MIN)
    log.search("other", "u2", 70 * MIN)
    log.tick(5 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    rig.erase("u1", START + 30 * MIN)
    assert rig.take_away() == 1
    assert rig.digest() == replayed(tmp_path, log, ("u1", START + 30 * MIN))
    rows = {key[2]: clients for key, (_, clients) in rig.owner.store.share().memory.items()}
    assert rows["a"] == {hashed("u1"), hashed("u2")}


def test_rows_that_are_gone_are_sent_as_tombstones_and_leave_the_file(rig):
    log = Log()
    log.search("s", "u1", 0, text="only mine")
    log.search("t", "u2", 0, text="common")
    log.tick(5 * 60 * MIN)
    rig.apply(log.records)
    rig.send()
    rig.erase("u1", UNTIL)
    rig.take_away()
    rig.send()
    gone = {out.key for out in rig.topics[MEMORY.name] if out.value is None}
    assert {key.split('"')[1] for key in gone} == {"only mine"}
    rig.pass_ten_minutes()
    assert rig.tidy()
    assert b"only mine" not in rig.path.read_bytes()
    assert {key[0] for key in rig.owner.store.share().memory} == {"common"}
    assert not rig.path.with_name(rig.path.name + ".tmp").exists()


def test_an_action_that_was_held_until_it_was_known_whose_it_is_leaves_the_file_too(rig):
    rig.erase("u1", UNTIL)
    rig.pass_ten_minutes()
    assert rig.tidy()  # done, as far as it is known
    log = Log()
    log.put(act("1", search="secret-search", at=0), 0)
    rig.apply(log.records)
    rig.owner.compact(rig.now)
    assert b"secret-search" in rig.path.read_bytes()
    log.put(page("secret-search", at=0, client_id="u1"), MIN)
    rig.apply(log.records)
    assert rig.owner.kernel.searches.held == {}
    assert [row.done for row in rig.owner.store.erasings()] == [False]
    rig.send()
    rig.pass_ten_minutes()
    assert rig.tidy()
    assert b"secret-search" not in rig.path.read_bytes()
    assert [row.done for row in rig.owner.store.erasings()] == [True]


def test_nothing_is_done_before_the_tombstones_cannot_be_overtaken(rig):
    rig.apply(busy().records)
    rig.send()
    rig.erase("u1", UNTIL)
    rig.take_away()
    rig.send()
    assert not rig.tidy()
    rig.send()
    (said,) = rig.told()
    assert said.waiting
    rig.pass_ten_minutes()
    assert rig.tidy()


def test_traffic_of_all_kinds_without_one_of_its_people(rig, tmp_path):
    log = Log()
    log.records = records(3)
    end = max(one.time for one in log.records) - START + 3 * WINDOW
    log._next = {topic: 1 + max(one.offset for one in log.records if one.topic == topic) for topic in INPUTS}
    log.tick(end)
    rig.apply(log.records[: len(log.records) // 2])
    rig.send()
    for who in ("u3", "u5", "u7"):
        rig.erase(who, START + 90 * MIN)
    rig.take_away()
    rig.apply(log.records)
    rig.send()
    rig.take_away()
    assert rig.digest() == replayed(tmp_path, log, *((who, START + 90 * MIN) for who in ("u3", "u5", "u7")))


def test_outcomes_of_erased_people_leave_their_log(tmp_path, rig):
    log = busy()
    rig.apply(log.records)
    outgoing = [out for out in rig.owner.take(rig.now) if out.topic == OUTCOMES.name]
    kept = OutcomeLog(tmp_path / "outcomes")
    for at in range(0, len(outgoing), 2):
        kept.append(list(concluded(outgoing[at : at + 2], lambda *_: True)))
    person = f"{hashed('u1'):016x}"
    assert erase_outcomes(kept.folder, {person: START + 60 * MIN}) == 1
    assert erase_outcomes(kept.folder, {person: UNTIL}) == 1
    assert erase_outcomes(kept.folder, {person: UNTIL}) == 0
    assert {one.client for one in kept.read() if one.type == "final"} == {f"{hashed(who):016x}" for who in ("u0", "u2")}


def test_a_search_that_closes_while_the_outcomes_are_looked_through_is_taken_away_the_next_time(rig):
    log = Log()
    log.search("s", "ann", 0)
    log.tick(WINDOW - 1_000)
    rig.apply(log.records)
    rig.send()
    rig.erase("ann", UNTIL)
    given, found = rig.look()
    before = len(log.records)
    log.tick(WINDOW + 1_000)
    rig.apply(log.records[before:])
    rig.owner.change(partial(take_away, given=given, found=found, now=rig.now))
    assert len(found.searches) == 0
    before = len(log.records)
    log.tick(3 * WINDOW)
    rig.apply(log.records[before:])
    rig.send()
    assert rig.take_away() == 1
    assert len(rig.owner.store.memory_rows()) == 0
