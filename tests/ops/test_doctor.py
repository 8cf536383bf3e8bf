"""Each check of the doctor, well and ill."""

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ops import doctor
from ops.cli import EXTRAS
from ops.settings import Settings

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.parametrize("role", doctor.ROLES)
def test_libraries_of_a_role_are_those_of_the_project(role):
    wanted = PROJECT["dependencies"] if role == "base" else PROJECT["optional-dependencies"][role]
    names = {requirement.partition(">")[0].partition("=")[0] for requirement in wanted}
    owners = packages_distributions()
    assert {owner.replace("_", "-").lower() for module in doctor.ROLES[role] for owner in owners[module]} == names


def test_a_missing_library_is_named_with_its_extra():
    assert EXTRAS["tantivy"] == "search"
    assert EXTRAS["duckdb"] == EXTRAS["pyarrow"] == "worker"
    assert "typer" not in EXTRAS


@pytest.mark.parametrize("role", doctor.ROLES)
def test_installed_roles_are_well(role):
    assert doctor.libraries(role).state == "ok"


def test_a_role_that_is_partly_there_is_a_problem_and_an_absent_one_a_note(monkeypatch):
    monkeypatch.setitem(doctor.ROLES, "worker", ("numpy", "no_such_library"))
    partly = doctor.libraries("worker")
    assert (partly.state, partly.text) == ("problem", "no_such_library missing")
    assert "pip install 'forage[worker]'" in partly.remedy
    monkeypatch.setitem(doctor.ROLES, "worker", ("no_such_library",))
    assert doctor.libraries("worker").state == "note"
    monkeypatch.setitem(doctor.ROLES, "worker", ("pyarrow", "no_such_library"))  # what another role brings says nothing of this one
    assert doctor.libraries("worker").state == "note"


def test_python():
    assert doctor.python((3, 11, 0)).state == "ok"
    assert doctor.python((3, 10, 14)).state == "problem"


def test_a_mistyped_setting_is_found():
    found = list(doctor.names({"FORAGE_BOOTSTRAPS": "a:1", "FORAGE_CLIENT_KEY": "k", "FORAGE_DATA": "x", "PATH": "y"}))
    assert [(one.state, one.text, one.remedy) for one in found] == [
        ("problem", "FORAGE_BOOTSTRAPS is no setting", "did you mean FORAGE_BOOTSTRAP?"),
        ("ok", "people are counted under keyed hashes", ""),
    ]
    (unset,) = doctor.names({})
    assert (unset.state, "FORAGE_CLIENT_KEY" in unset.remedy) == ("note", True)


def test_the_data_folder(tmp_path):
    assert [one.state for one in doctor.folder(tmp_path / "new", free=1)] == ["ok", "ok"]
    assert list((tmp_path / "new").iterdir()) == []
    _, disk = doctor.folder(tmp_path, free=1 << 62)
    assert (disk.what, disk.state) == ("disk", "problem")
    (tmp_path / "file").write_text("")
    (blocked,) = doctor.folder(tmp_path / "file", free=1)
    assert (blocked.state, "FORAGE_DATA_DIR" in blocked.remedy) == ("problem", True)


def test_all_checks_without_a_broker(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # neither Java nor Docker
    found = {one.what: one for one in doctor.examine(Settings(bootstrap="127.0.0.1:1", data=tmp_path), {})}
    assert set(found) == {"python", "role base", "role worker", "role search", "settings", "data folder", "disk", "local broker", "broker"}
    assert found["broker"].state == "problem"
    assert "FORAGE_BOOTSTRAP" in found["broker"].remedy
    assert found["local broker"].state == "note"
    assert "install Java 17 and Maven" in found["local broker"].remedy
    assert all(one.remedy for one in found.values() if one.state != "ok")
