"""The commands as a person runs them, where no broker is needed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from evaluation.datasets.folder import write
from evaluation.datasets.rows import Click, Judgment, QueryText
from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.registry import Registry
from ops.cli import app
from ops.definitions import STRATEGIES
from schemas.entities import Entity
from schemas.export import MESSAGES

START = 1_600_000_000_000
NOBODY = "127.0.0.1:1"
GAMES = ("halo reach", "halo wars", "gears of war", "mario kart", "zelda", "fifa soccer")


@pytest.fixture
def forage(tmp_path):
    """forage("data", "digest", ...) -> result; settings are the defaults, with a data folder of the test's own."""

    def run(*words, input=None, **environment):  # noqa: A002
        settings = {"FORAGE_DATA_DIR": str(tmp_path / "var"), "FORAGE_BOOTSTRAP": NOBODY, **environment}
        return CliRunner().invoke(app, [str(word) for word in words], input=input, env=settings)

    return run


def commands(command=None, path=()):
    command = command or get_command(app)
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_explains_every_command_argument_and_option(forage, path):
    result = forage(*path, "--help")
    assert result.exit_code == 0
    command = get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help
    assert command.help[0].isupper()
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", "") and parameter.name != "help"] == []


def test_the_help_of_groups_is_not_cut_off(forage):
    for path in commands():
        help_ = forage(*path, "--help").stdout
        assert [line for line in help_.partition("Commands:")[2].splitlines() if line.endswith("...")] == []


def test_figures_come_as_json_too():
    without = {
        ("demo",): False, ("worker",): True, ("events", "send"): False, ("events", "tail"): False,
        ("data", "import", "esci"): False, ("data", "import", "csv"): False,
        ("data", "export"): False, ("data", "schema"): True, ("data", "digest"): False, ("topics", "create"): False,
        ("topics", "check"): False, ("topics", "describe"): False, ("evaluate", "loop"): False, ("evaluate", "experiment"): False,
        ("snapshots", "list"): False,
        ("snapshots", "show"): False, ("doctor",): False,
    }  # fmt: skip
    for path, none in without.items():
        command = get_command(app)
        for name in path:
            command = command.commands[name]
        assert ("json" not in {parameter.name for parameter in command.params}) == none, path


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("data", "digest"), "forage data digest DIR"),
        (("data", "digest", "--log", "nowhere.gz"), "--record nowhere.gz"),
        (("data", "digest", "nowhere"), "give the folder of an embedded run"),
        (("data", "import", "bestbuy", "nowhere", "--out", "there"), "give the folder that holds"),
        (("evaluate", "loop", "nowhere"), "forage data import"),
        (("evaluate", "loop", "nowhere", "--record", "x", "--seeds", "2"), "leave out --seeds"),
        (("evaluate", "loop", "nowhere", "--record", "x", "--contenders", "rrf"), "let learned be among"),
        (("evaluate", "experiment"), "give one of LOG, --folder DIR and --topics"),
        (("evaluate", "experiment", "--folder", "nowhere"), "with --topics"),
        (("snapshots", "list", "--folder", "nowhere"), "`manifests` and `contents`"),
        (("events", "tail", "searches"), "choose one of search.impressions"),
        (("topics", "check", "--bootstrap", "here"), "write 127.0.0.1:9092"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_end_in_the_remedy(forage, words, remedy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = forage(*words)
    assert result.exit_code == 1
    assert re.fullmatch(r"error: .*\n", result.stderr, re.DOTALL)
    assert remedy in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", [("topics", "check"), ("events", "tail", "control")], ids=" ".join)
def test_without_a_broker_the_address_is_named(forage, words):
    result = forage(*words, input="")
    assert (result.exit_code, NOBODY in result.stderr) == (1, True)
    assert "is it running" in result.stderr


def test_a_wrong_environment_does_not_hide_the_help(forage):
    assert forage("topics", "check", FORAGE_SECURITY_PROTOCOL="x").exit_code == 1
    assert forage("topics", "check", "--help", FORAGE_SECURITY_PROTOCOL="x").exit_code == 0


def test_a_library_of_another_role_is_named_with_what_to_install():
    code = """
import sys
sys.modules["duckdb"] = None
sys.argv = ["forage", "data", "digest", "."]
from ops.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: duckdb is not installed; pip install 'forage[worker]', or [all] for everything\n"


def test_schema_writes_a_file_a_message(forage, tmp_path):
    result = forage("data", "schema", tmp_path / "schemas")
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == sorted(f"{name}.schema.json" for name in MESSAGES)
    assert len(result.stdout.splitlines()) == len(MESSAGES)


# -- evaluate, then the digest of what it recorded ----------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    """Six games; twelve searches of two queries, a minute apart, by four people."""
    entities = [Entity(entity_id=f"g{n}", entity_type="game", title=title) for n, title in enumerate(GAMES)]
    clicks = [
        Click(START + n * 60_000 + 5_000, START + n * 60_000, f"c{n % 4}", ("halo", "kart game")[n % 2], ("g1", "g3")[n % 2], "click", None)
        for n in range(12)
    ]
    write(tmp_path / "shop", entities=entities, clicks=clicks)
    return tmp_path / "shop"


def test_evaluate_records_a_log_whose_digest_is_one(forage, dataset, tmp_path):
    log = tmp_path / "log.jsonl.gz"
    result = forage("evaluate", "loop", dataset, "--record", log, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert (figures["dataset"], figures["protocol"], figures["searches"], figures["clicks"]) == ("shop", "full", 12, 12)
    assert set(figures["contenders"]) == {"learned", "rrf", "memory_first", *STRATEGIES}
    # "halo" finds g0 and g1, "kart game" finds g3: lexical always has what is clicked among its first ten
    assert figures["contenders"]["lexical"]["all"]["overall"]["hit@10"]["mean"] == 1.0
    ways = [(), ("--partitions", 1, "--batch", 1), ("--interleave", "actions-first"), ("--stops", 3, "--partitions", 2)]
    digests = [forage("data", "digest", "--log", log, "--json", *way) for way in ways]
    assert [one.stderr for one in digests] == [""] * len(ways)
    assert len({one.stdout for one in digests}) == 1
    assert set(json.loads(digests[0].stdout)) == {"memory", "tallies", "open", "sets", "state"}
    text = forage("data", "digest", "--log", log).stdout.splitlines()
    assert text[-1] == f"state    {json.loads(digests[0].stdout)['state']}"
    assert forage("data", "digest", "--log", log, "--json", FORAGE_CLIENT_KEY="k").stdout != digests[0].stdout
    shares = json.loads(forage("data", "shares", log, "--json").stdout)
    assert (shares["searches"], shares["reward"]) == (12, 12.0)
    assert {one["name"] for one in shares["strategies"]} == set(STRATEGIES)
    assert sum(one["fair"] for one in shares["strategies"]) <= 12.0
    assert forage("data", "shares", log).stdout.startswith("12 searches, 12.0 reward")


def test_evaluate_takes_a_part_of_the_log_some_contenders_and_several_seeds(forage, dataset):
    words = ("evaluate", "loop", dataset, "--searches", 6, "--contenders", "learned, lexical", "--protocol", "bandit", "--jobs", 1)
    text = forage(*words).stdout
    assert text.startswith("shop, protocol bandit: 6 searches, 6 clicks judged\n")
    two = json.loads(forage(*words, "--seeds", 2, "--json").stdout)
    assert set(two["contenders"]) == {"learned", "lexical"}
    assert [run["settings"]["salt"] for run in two["runs"]] == ["forage", "forage-1"]
    means = [run["contenders"]["learned"]["all"]["asked"] for run in two["runs"]]
    assert two["contenders"]["learned"]["all"]["asked"] == sum(means) / 2
    assert forage("evaluate", "loop", dataset, "--contenders", "magic").stderr.startswith("error: no contender ['magic']; choose among")


# -- snapshots in a folder ----------------------------------------------------------------------------------------------------


def content(salt):
    return fit(Definition(salt=salt, arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")]), {}, 0)


def test_snapshots_of_a_folder_are_listed_shown_rolled_back_pinned_and_promoted(forage, tmp_path):
    registry = Registry(tmp_path)
    first, second = (registry.publish(content(salt), created=at) for at, salt in ((1_000, "a"), (2_000, "b")))
    waiting = registry.store(content("c"))
    here = ("--folder", tmp_path)
    listed = forage("snapshots", "list", *here).stdout.splitlines()
    assert len(listed) == 3
    assert listed[2].split()[:2] == ["2", second.content_id[:12]]
    assert listed[2].endswith("in use")
    shown = json.loads(forage("snapshots", "show", "1", *here, "--json").stdout)
    assert shown["manifest"]["content_id"] == first.content_id
    assert "lexical" in forage("snapshots", "show", *here).stdout

    assert forage("snapshots", "rollback", *here).stdout == f"seq 3: {first.content_id[:12]}, pinned\n"
    assert "`unpin` first" in forage("snapshots", "promote", waiting, *here).stderr
    assert forage("snapshots", "unpin", *here).stdout == f"seq 4: {first.content_id[:12]}, not pinned\n"
    assert forage("snapshots", "promote", waiting, *here).stdout == f"seq 5: {waiting[:12]}, not pinned\n"
    assert forage("snapshots", "pin", *here).stdout == f"seq 6: {waiting[:12]}, pinned\n"
    assert forage("snapshots", "rollback", "2", *here).stdout == f"seq 7: {second.content_id[:12]}, pinned\n"
    listed = json.loads(forage("snapshots", "list", *here, "--json").stdout)["snapshots"]
    assert [one["seq"] for one in listed] == [1, 2, 3, 4, 5, 6, 7]
    assert "snapshots list" in forage("snapshots", "rollback", "99", *here).stderr


def test_nothing_older_to_roll_back_to(forage, tmp_path):
    Registry(tmp_path).publish(content("a"), created=1)
    assert "nothing older" in forage("snapshots", "rollback", "--folder", tmp_path).stderr


def test_doctor_fails_without_a_broker_and_says_so_in_both_forms(forage):
    text, plain = forage("doctor"), forage("doctor", "--json")
    assert (text.exit_code, plain.exit_code) == (1, 1)
    assert re.search(r"^problem +broker: .*set FORAGE_BOOTSTRAP", text.stdout, re.MULTILINE)
    found = json.loads(plain.stdout)
    assert found["problems"] == sum(one["state"] == "problem" for one in found["findings"]) >= 1


def test_a_place_that_cannot_be_written_is_named_without_a_traceback(forage, tmp_path):
    (tmp_path / "file").write_text("no folder")
    result = forage("data", "schema", tmp_path / "file" / "schemas")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"error: {tmp_path / 'file'}")


def test_a_wrong_address_is_refused_under_the_name_by_which_it_came(forage):
    assert "--bootstrap is nonsense" in forage("topics", "check", "--bootstrap", "nonsense").stderr
    assert "FORAGE_BOOTSTRAP is nonsense" in forage("topics", "check", FORAGE_BOOTSTRAP="nonsense").stderr


# -- evaluate on judged queries -----------------------------------------------------------------------------------------------


@pytest.fixture
def judged_dataset(tmp_path):
    """Twelve products, twelve queries, each for one of them."""
    names = [f"{word} {noun}" for word in ("red", "blue", "green", "old") for noun in ("lamp", "chair", "table")]
    entities = [Entity(entity_id=f"e{number:02}", title=name) for number, name in enumerate(names)]
    queries = [QueryText(f"q{number:02}", name, 1.0) for number, name in enumerate(names)]
    judgments = [Judgment(f"q{number:02}", f"e{number:02}", 1.0) for number in range(12)]
    return write(tmp_path / "judged", entities=entities, queries=queries, judgments=judgments).path


JUDGED = ("--strategies", "lexical_title, trigrams, memory", "--searches", 30, "--seeds", 1, "--folds", 2, "--json")


def test_judged_queries_give_the_same_figures_for_any_number_of_jobs(forage, judged_dataset):
    words = ("evaluate", "loop", judged_dataset, *JUDGED, "--contenders", "learned,no_memory,convex_memory,oracle")
    one, two = (json.loads(forage(*words, "--jobs", jobs).stdout) for jobs in (1, 2))
    assert {key: one[key] for key in ("dataset", "protocol", "searches", "queries")} == {
        "dataset": "judged", "protocol": "bandit", "searches": 30, "queries": 12,
    }  # fmt: skip
    assert set(one["contenders"]) == {"learned", "no_memory", "convex_memory", "convex", "oracle"}
    for figures in (one, two):
        for points in figures["contenders"].values():
            for cell in points.values():
                assert cell.pop("ms") >= 0.0
    assert one == two
    cell = one["contenders"]["learned"]["30"]
    assert set(cell) == {"seen", "unseen", "minus_convex", "asked", "regret"}
    assert set(cell["unseen"]) == {"ndcg@10", "mrr@10", "hit@10", "recall@100"}
    assert set(cell["seen"]["ndcg@10"]) == {"mean", "low", "high"}
    assert one["contenders"]["oracle"]["30"]["seen"]["ndcg@10"]["mean"] == 1.0
    assert one["settings"]["folds"] == 2


def test_a_judged_run_can_be_recorded_and_read_as_text(forage, judged_dataset, tmp_path):
    log = tmp_path / "judged.log.gz"
    words = ("evaluate", "loop", judged_dataset, *JUDGED[:-1], "--contenders", "learned", "--record", log)
    assert "add --contenders learned --seeds 1 --folds 1" in forage(*words).stderr
    text = forage(*words[:-2], "--folds", 1, "--record", log).stdout
    assert text.startswith("judged, 12 judged queries, protocol bandit: 30 searches\n")
    assert "learned" in text.partition("after 30 searches")[2]
    digests = [forage("data", "digest", "--log", log, "--json", "--partitions", count).stdout for count in (1, 4)]
    assert digests[0] == digests[1]
    out = json.loads(forage("data", "export", "ubi", log, "--out", tmp_path / "ubi", "--json").stdout)
    assert out["queries"] == 30
    assert (
        json.loads(forage("data", "import", "ubi", tmp_path / "ubi", "--out", tmp_path / "again", "--json").stdout)["clicks"]
        == out["events"]
    )


def test_options_that_do_not_go_with_the_data_are_refused(forage, dataset, judged_dataset):
    assert "leave it out" in forage("evaluate", "loop", judged_dataset, "--protocol", "full").stderr
    assert "leave them out" in forage("evaluate", "loop", dataset, "--folds", 2).stderr
    assert "choose among" in forage("evaluate", "loop", judged_dataset, "--contenders", "best", *JUDGED).stderr
    assert "no strategy ['magic']; choose among" in forage("evaluate", "loop", judged_dataset, "--strategies", "lexical,magic").stderr
    assert "set FORAGE_ENCODER" in forage("evaluate", "loop", judged_dataset).stderr


def test_policies_of_a_click_log_run_beside_each_other(forage, dataset):
    words = ("evaluate", "loop", dataset, "--contenders", "learned,no_placement,lexical", "--json")
    one, two = (json.loads(forage(*words, "--jobs", jobs).stdout) for jobs in (1, 2))
    assert list(one["contenders"]) == ["learned", "no_placement", "lexical"]
    for figures in (one, two):
        for points in figures["contenders"].values():
            for cell in points.values():
                del cell["ms"]
    assert one == two
