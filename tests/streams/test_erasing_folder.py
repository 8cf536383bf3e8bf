"""Erasing from the folder of an embedded loop: the canary is in no byte of it, and the rest is what it would be without."""

import pytest

from memory_index.outcome_log import OutcomeLog
from schemas.errors import NotFound, Unavailable
from schemas.events import Query
from streams.embedded.driver import EmbeddedDriver
from streams.erasing.folder import erase_folder
from streams.kernel.share import digest_state
from tests.streams.erasing_rig import hashed
from tests.streams.searchbox import MIN, RULES, START, WINDOW, act, page

END = START + 400 * MIN


def live(folder, events):
    driver = EmbeddedDriver(RULES, folder=folder)
    for event in events:
        driver.emit(event, event.ts)
    driver.step()
    driver.close()


def everybody(*, canary):
    """Twenty searches; each fifth is the canary's, under a query and with entities of its own, and beside them under common ones."""
    out = []
    for number in range(20):
        at, theirs = number * 11 * MIN, number % 5 == 2
        if theirs and not canary:
            continue
        who = "canary@example.org" if theirs else f"u{number % 3}"
        text = "canary query" if theirs and number > 10 else "halo 3"
        shown = {"canary-entity": {"lex": 1}} if theirs and number > 10 else {"a": {"lex": 1}, "b": {"lex": 2, "mem": 1}}
        out.append(page(f"search-{who}-{number}", at=at, client_id=who, query=Query(text=text), results=shown))
        out.append(act(f"{number}", search=f"search-{who}-{number}", at=at + MIN, entity=next(iter(shown))))
        if theirs:
            out.append(act(f"{number}-late", search=f"search-{who}-{number}", at=at + 20 * MIN, entity=next(iter(shown)), kind="purchase"))
    return sorted(out, key=lambda event: event.ts)


def digest(folder):
    driver = EmbeddedDriver(RULES, folder=folder)
    driver.tick(END + 2 * WINDOW)
    driver.step()
    out = digest_state([driver.share(p) for p in range(4)], driver.kernels)
    driver.close()
    return out


def traces(folder):
    return [path for path in folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_nothing_of_the_canary_is_left_and_the_rest_is_as_if_it_had_never_been(tmp_path):
    live(tmp_path / "with", everybody(canary=True))
    live(tmp_path / "without", everybody(canary=False))
    assert traces(tmp_path / "with")
    gone = erase_folder(tmp_path / "with", {hashed("canary@example.org"): END}, RULES)
    assert gone == 4 * 3
    assert traces(tmp_path / "with") == []
    assert digest(tmp_path / "with") == digest(tmp_path / "without")
    outcomes = [one.client for one in OutcomeLog(tmp_path / "with" / "outcomes").read() if one.type == "final"]
    assert outcomes
    assert f"{hashed('canary@example.org'):016x}" not in outcomes


def test_an_erasure_again_or_of_nobody_changes_nothing(tmp_path):
    live(tmp_path, everybody(canary=True))
    before = digest(tmp_path)
    assert erase_folder(tmp_path, {hashed("nobody"): END}, RULES) == 0
    assert digest(tmp_path) == before
    assert erase_folder(tmp_path, {hashed("u1"): END}, RULES) > 0
    after = digest(tmp_path)
    assert erase_folder(tmp_path, {hashed("u1"): END}, RULES) == 0
    assert digest(tmp_path) == after != before


def test_what_comes_later_counts_and_what_was_erased_stays_away(tmp_path):
    live(tmp_path, everybody(canary=True))
    erase_folder(tmp_path, {hashed("canary@example.org"): START + 300 * MIN}, RULES)
    erase_folder(tmp_path, {hashed("u0"): START + 300 * MIN}, RULES)
    driver = EmbeddedDriver(RULES, folder=tmp_path)
    late = page("late", at=290 * MIN, client_id="canary@example.org", query=Query(text="canary query"))
    again = page("again", at=301 * MIN, client_id="canary@example.org", query=Query(text="again"))
    for event in (late, again):
        driver.emit(event, event.ts)
    driver.step()
    keys = {key[0] for p in range(4) for key in driver.share(p).memory}
    driver.close()
    assert "again" in keys
    assert "canary query" not in keys


def test_a_folder_that_is_none_or_in_use_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r"log\.sqlite"):
        erase_folder(tmp_path, {}, RULES)
    driver = EmbeddedDriver(RULES, folder=tmp_path)
    with pytest.raises(Unavailable):
        erase_folder(tmp_path, {1: 1}, RULES)
    driver.close()
