"""Conclusions come back once each, by id, whatever the batches; a damaged file is named."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_index.outcome_log import OutcomeLog, identity
from schemas.errors import CorruptFile
from schemas.events import Action, Impression, Query, Result
from schemas.outcomes import Amendment, Outcome


def final(name: str, *, pages: int = 1, text: str = "halo") -> Outcome:
    shown = [Result(entity_id=f"e{at}", position=at, features=[at, -at]) for at in range(1, 4)]
    page = Impression(search_id=f"s-{name}", ts=1_000, query=Query(text=text), results=shown)
    return Outcome(
        final_id=name, search_id=f"s-{name}", time=1_000, closed=2_000, pages=[page] * pages, actions=[], rewards={"e1": 256}, off_page=0,
        client="7",
    )  # fmt: skip


def amendment(name: str, of: str) -> Amendment:
    action = Action(action_id="a1", search_id=f"s-{of}", ts=3_000, kind="click", entity_id="e2")
    return Amendment(amendment_id=name, final_id=of, time=3_000, event=action)


ALL = {f"{at:02d}": final(f"{at:02d}") if at % 3 else amendment(f"{at:02d}", "01") for at in range(12)}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(sorted(ALL)), max_size=6), max_size=6), st.integers(1, 4))
def test_any_batches_read_as_the_set_by_id(tmp_path_factory: pytest.TempPathFactory, batches: list, span: int) -> None:
    log = OutcomeLog(tmp_path_factory.mktemp("log"))
    for batch in batches:
        log.append([ALL[name] for name in batch])
    assert list(log.read(at_once=span)) == [ALL[name] for name in sorted({name for batch in batches for name in batch})]


def test_one_file_a_batch_and_the_same_batch_is_the_same_file(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path / "log")
    assert log.append([]) is None
    first = log.append([ALL["02"], ALL["01"]])
    assert first is not None
    assert first.name.startswith("01-2-")
    assert log.append([ALL["01"], ALL["02"]]) == first
    other = log.append([ALL["01"], ALL["05"]])  # the same first id and count: still another file
    assert other != first
    assert [identity(one) for one in log.read()] == ["01", "02", "05"]
    assert not [name for name in os.listdir(log.folder) if name.endswith(".tmp")]


def test_ids_that_are_no_file_names_and_finals_larger_than_a_message(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path)
    odd = final("../a/b", pages=1)
    large = final("x" * 250, pages=2_000, text="long " * 100)
    for one in (odd, large):
        path = log.append([one])
        assert path is not None
        assert path.parent == tmp_path
    assert list(log.read()) == [odd, large]


def test_damaged_files_are_refused_by_name_and_halves_ignored(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path)
    path = log.append([ALL["01"], ALL["02"]])
    assert path is not None
    (tmp_path / "half.parquet.tmp").write_bytes(b"half a file")
    assert len(list(log.read())) == 2
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[good.index(b"\x28\xb5\x2f\xfd", len(good) // 3) + 40] ^= 0xFF  # inside a compressed page
    for bad in (b"", good[: len(good) // 2], good[:-1], bytes(flipped)):
        path.write_bytes(bad)
        with pytest.raises(CorruptFile, match=path.name):
            list(log.read())


def test_foreign_files_and_rows_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path)
    path = log.append([ALL["01"]])
    assert path is not None
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "id", pa.array(["77"])), path)
    with pytest.raises(CorruptFile, match="the row of id 77 holds 01"):
        list(log.read())
    pq.write_table(table.set_column(4, "body", pa.array([b"{}"])), path)
    with pytest.raises(CorruptFile, match="id 01"):
        list(log.read())
    pq.write_table(table.drop_columns(["client"]), path)
    with pytest.raises(CorruptFile, match="other columns"):
        list(log.read())


def test_a_scan_gives_amendments_and_the_finals_that_are_wanted(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path)
    log.append([ALL["00"], ALL["01"], ALL["02"]])
    log.append([ALL["02"], ALL["03"], ALL["04"]])
    found = [identity(one) for one in log.scan(lambda name, time: name in ("01", "02") and time == ALL[name].time)]
    assert sorted(found) == ["00", "01", "02", "02", "03"]
    assert [one for one in log.scan(lambda *_: False) if one.type == "final"] == []
