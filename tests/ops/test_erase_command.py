"""`forage erase` where no broker is needed: who is named, how, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from ops.cli import app
from schemas.ids import client_hash
from streams.embedded.driver import EmbeddedDriver
from tests.streams.searchbox import MIN, RULES, START, act, page


@pytest.fixture
def forage(tmp_path):
    def run(*words, **environment):
        settings = {"FORAGE_DATA_DIR": str(tmp_path / "var"), "FORAGE_BOOTSTRAP": "127.0.0.1:1", **environment}
        return CliRunner().invoke(app, ["erase", *map(str, words)], env=settings)

    return run


def test_nobody_named_or_asked_for_too_much_is_refused(forage, tmp_path):
    nobody = forage()
    assert (nobody.exit_code, "--client ID" in nobody.stderr) == (1, True)
    both = forage("--status", "--folder", tmp_path)
    assert (both.exit_code, "--status is for Kafka" in both.stderr) == (1, True)
    missing = forage("--file", tmp_path / "no.txt")
    assert (missing.exit_code, "no.txt" in missing.stderr) == (1, True)
    alone = forage("--client", "u")
    assert (alone.exit_code, "127.0.0.1:1" in alone.stderr) == (1, True)


def test_people_of_a_file_are_erased_from_a_folder(forage, tmp_path):
    driver = EmbeddedDriver(RULES, folder=tmp_path / "run")
    for number, who in enumerate(("ann", "bob", "cid")):
        for event in (page(f"s{number}", at=number * MIN, client_id=who), act("1", search=f"s{number}", at=number * MIN)):
            driver.emit(event, event.ts)
    driver.step()
    driver.close()
    (tmp_path / "people.txt").write_text("ann\n\nbob\n")
    result = forage("--file", tmp_path / "people.txt", "--folder", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"people": [f"{client_hash(who, b''):016x}" for who in ("ann", "bob")], "events": 4, "remains": []}
    again = forage("--client", "ann", "--folder", tmp_path / "run")
    assert again.stdout.startswith("0 events were erased")


def test_a_folder_of_another_key_is_refused(forage, tmp_path):
    driver = EmbeddedDriver(RULES, folder=tmp_path / "run")
    driver.emit(page(at=0, client_id="ann"), START)
    driver.tick(START + 60 * MIN)
    driver.step()
    driver.close()
    other = forage("--client", "ann", "--folder", tmp_path / "run", FORAGE_CLIENT_KEY="another")
    assert (other.exit_code, "FORAGE_CLIENT_KEY" in other.stderr) == (1, True)
    assert forage("--client", "ann", "--folder", tmp_path / "run").stdout.startswith("1 events were erased")
