"""An erasure is one more fact: taking away, leaving out from the start, and a log without the person give the same state."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_histories import END, RULES, START, Line, histories

from schemas.base import HOUR_MS
from schemas.codec import decode_event, encode
from schemas.events import Tick
from streams.kernel.changes import INPUTS, Record
from tests.streams.erasing_rig import Rig

SOME = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
ERASED = "u1"


def records_of(history: list[Line]) -> list[Record]:
    """One partition's records, by turns of the inputs at equal times, and ticks that close everything."""
    offsets, out = dict.fromkeys(INPUTS, 0), []
    ends = [Line(topic, END + 100 * HOUR_MS, "", encode(Tick())) for topic in INPUTS]
    for line in [*history, *ends]:
        out.append(Record(line.topic, offsets[line.topic], line.time, line.value, line.place.encode()))
        offsets[line.topic] += 1
    return out


def of_the_erased(line: Line) -> bool:
    try:
        return int(decode_event(line.value).search_id[1:]) % 3 == 1
    except Exception:
        return False


def replayed(path, records, *, until=None):
    rig = Rig(path, rules=RULES)
    if until is not None:
        rig.erase(ERASED, until)
    rig.apply(records)
    digest = rig.digest()
    rig.owner.close()
    return digest


def lived(path, records, *, until, at, seed):
    """The erasure comes after `at` records; sending, looking, crashing and tidying come when they come."""
    rng, rig = random.Random(seed), Rig(path, rules=RULES)
    done = 0
    while done < len(records):
        size = min(rng.randint(1, 6), (at - done) if done < at else len(records))
        rig.apply(records[done : done + size])
        done += size
        if done == at:
            rig.erase(ERASED, until)
        for step in rng.sample([rig.send, rig.take_away, rig.crash, rig.tidy, rig.pass_ten_minutes], 5):
            if rng.random() < 0.3:
                step()
    rig.take_away()
    digest = rig.digest()
    rig.crash()
    assert rig.digest() == digest
    rig.send()
    rig.pass_ten_minutes()
    rig.tidy()
    assert rig.digest() == digest
    assert [row.done for row in rig.owner.store.erasings()] == [True]
    rig.owner.close()
    return digest


@SOME
@given(histories(), st.integers(0, 10**9))
def test_taken_away_left_out_and_never_there_are_the_same(tmp_path_factory, history, seed):
    folder = tmp_path_factory.mktemp("p")
    records, rng = records_of(history), random.Random(seed)
    without = records_of([line for line in history if not of_the_erased(line)])
    never = replayed(folder / "never.duckdb", without)
    assert replayed(folder / "left_out.duckdb", records, until=END) == never
    at = rng.randint(1, len(records) - 2) if len(records) > 2 else 1
    assert lived(folder / "lived.duckdb", records, until=END, at=at, seed=seed) == never


@SOME
@given(histories(), st.integers(0, 10**9))
def test_an_erasure_of_the_past_takes_the_same_whenever_it_comes(tmp_path_factory, history, seed):
    folder = tmp_path_factory.mktemp("p")
    records, rng = records_of(history), random.Random(seed)
    until = rng.choice([record.time for record in records[:-2]] or [START]) + rng.choice([-1, 0, 0, 1])
    at = rng.randint(1, len(records) - 2) if len(records) > 2 else 1
    expected = replayed(folder / "left_out.duckdb", records, until=until)
    assert lived(folder / "lived.duckdb", records, until=until, at=at, seed=seed) == expected
