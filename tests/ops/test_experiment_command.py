"""An experiment from the command line to the verdict: a server's own policy, pages and clicks through the kernel, its folder and its LOG
read back by `forage evaluate experiment`, and what such pages taught meanwhile."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from evaluation.experiment import NOTHING, experiment_figures, experiment_table
from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.policy import Policy
from learners.rewards import REWARDS
from learners.trials.reading import read
from learners.trials.settled import COLUMNS, GROUPS
from ops.cli import app
from ops.trials import TrialPlan, fixed_mix, parse_trial, with_trial
from schemas.base import HOUR_MS
from schemas.errors import InvalidSetting
from schemas.events import Action, Impression
from schemas.rows import POSITION_BINS
from serving.experiments import Interleaved, Split
from serving.outcomes import OutcomeSums
from streams.embedded.driver import EmbeddedDriver
from streams.kernel.join import Rules
from streams.kernel.share import Share
from streams.publishing.concluding import concluded
from streams.replaying.recording import Recorder
from tests.retrievers.shop import request
from tests.serving.kitchen import Kitchen

SEARCHES, EVERY = 300, 60_000
DEFINITION = Definition(salt="shop", arms=[ArmSpec.of(name, depth=20) for name in ("lexical", "lexical_title", "memory", "popular")])


@dataclass
class Ran:
    """A run: where it was kept, and what its server's sums were told."""

    folder: Path
    log: Path
    sums: OutcomeSums
    shares: list[Share]
    pages: list[Impression]


@pytest.fixture
def forage(tmp_path: Path) -> Callable[..., Result]:
    """forage(*words): the command, with data in a folder of the test's own."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], env={"FORAGE_DATA_DIR": str(tmp_path / "var")})


def run(place: Path, plan: str, *, chooses: Callable[[Impression, Random], str | None]) -> Ran:
    """Searches of 50 people, one a minute; `chooses` says what is clicked."""
    sums, rng, rules, pages = OutcomeSums(), Random(3), Rules(rewards=REWARDS), list[Impression]()
    kitchen = Kitchen(with_trial(parse_trial(plan))(Policy.untrained(DEFINITION)), candidates_p=0.1)  # type: ignore[arg-type]
    with Recorder(place / "log.gz") as recorder:
        driver = EmbeddedDriver(rules, folder=place / "run", on_changes=[lambda _, changes: tell(sums, changes)])
        for number in range(SEARCHES):
            words = ("halo 3", "racing", "chess 2 b")[number % 3]
            now = request("x").ts + number * EVERY
            asked = replace(request(words, search_id=f"s-{number}", size=6), ts=now, client_id=f"c-{number % 50}")
            page = kitchen.pipeline.search(asked).impression
            pages.append(page)
            events: list[Impression | Action] = [page]
            if (entity := chooses(page, rng)) is not None:
                events.append(
                    Action(action_id=f"a-{number}", search_id=page.search_id, ts=now + 1, kind="click", entity_id=entity),
                )
            for event in events:
                recorder.event(event, event.ts)
                driver.emit(event, event.ts)
        driver.tick(now + 2 * HOUR_MS)
        driver.step()
        shares = [driver.share(number) for number in range(driver.log.partitions)]
        driver.close()
    return Ran(place / "run", place / "log.gz", sums, shares, pages)


def tell(sums: OutcomeSums, changes) -> None:  # type: ignore[no-untyped-def]
    for one in concluded(changes.outgoing, lambda *_: True, changes.concluded):
        sums.add(one)


def first_of_team_a(page: Impression, rng: Random) -> str | None:
    """Most people want what the live policy picked."""
    wanted = "a" if rng.random() < 0.8 else "b"
    return next((one.entity_id for one in page.results if one.placement.team == wanted), None)


def any_of_the_page(page: Impression, rng: Random) -> str | None:
    return page.results[rng.randrange(len(page.results))].entity_id if page.results and rng.random() < 0.4 else None


@pytest.fixture(scope="module")
def interleaved(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("interleaved"), "interleave:rrf:0.8", chooses=first_of_team_a)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("split"), "split:rrf:0.4", chooses=any_of_the_page)


def test_log_folder_and_server_say_the_same(forage, interleaved: Ran) -> None:
    by_log = forage("evaluate", "experiment", interleaved.log, "--json")
    by_folder = forage("evaluate", "experiment", "--folder", interleaved.folder, "--json")
    assert (by_log.stderr, by_folder.stderr) == ("", "")
    assert by_log.stdout == by_folder.stdout
    (mine,) = interleaved.sums.results()
    figures = experiment_figures([(mine, interleaved.sums.by_kind(mine.trial))])
    assert json.loads(by_log.stdout) == json.loads(json.dumps(figures))
    assert (mine.trial, mine.kind, mine.better) == ("interleave_rrf", "interleaved", "a")
    assert abs(mine.a.searches - 0.8 * SEARCHES) < 4.5 * (0.16 * SEARCHES) ** 0.5


def test_the_page_for_people_has_numbers_verdict_and_kinds(forage, interleaved: Ran, split: Ran) -> None:
    text = forage("evaluate", "experiment", interleaved.log).stdout
    assert text.startswith("interleave_rrf: both on one page, 2024-10-04 00:00 to 2024-10-04 05:00 UTC\n")
    assert "a is better: keep what runs" in text
    assert "however often one looks" in text
    other = forage("evaluate", "experiment", split.log).stdout
    assert other.startswith("split_rrf: people split, ")
    assert "  too few to say: " in other
    assert " of 200 searches\n" in other
    assert all(len(line) <= 100 for line in (text + other).splitlines())
    assert experiment_table({"experiments": []}) == NOTHING + "\n"


def test_only_from_an_hour_on(forage, interleaved: Ran) -> None:
    whole = json.loads(forage("evaluate", "experiment", interleaved.log, "--json").stdout)["experiments"][0]
    later = json.loads(forage("evaluate", "experiment", interleaved.log, "--json", "--from-time", "2024-10-04T02:00:00Z").stdout)
    (part,) = later["experiments"]
    assert (part["first"], part["last"]) == (whole["first"] + 2 * HOUR_MS, whole["last"])
    assert 0 < part["a"]["searches"] < whole["a"]["searches"]


def test_a_folder_in_use_gives_what_is_in_its_files_and_says_so(forage, tmp_path: Path) -> None:
    driver = EmbeddedDriver(Rules(rewards=REWARDS), folder=tmp_path / "run")
    try:
        result = forage("evaluate", "experiment", "--folder", tmp_path / "run")
    finally:
        driver.close()
    assert result.exit_code == 0
    assert result.stdout == NOTHING + "\n"
    assert result.stderr.count("is in use: its last searches are not in it yet") == 4


def test_what_is_shared_or_tried_teaches_memory_but_no_strategy(interleaved: Ran, split: Ran) -> None:
    for ran in (interleaved, split):
        decisions = [page.decision for page in ran.pages if page.decision is not None]
        own = Counter(arm.name for one in decisions for arm in one.arms if one.own and arm.asked)
        assert 0 < own["popular"] < 0.75 * SEARCHES, "some pages are the live policy's, and some are not"
        told = Counter[str]()
        for share in ran.shares:
            for (kind, arm, _, _), sums in share.tallies.items():
                told.update({arm: int(sums[0])} if kind == "arm" else {})
        assert told == own
        rows = [row for share in ran.shares for row, _ in share.memory.values()]
        assert sum(sum(row[: len(POSITION_BINS)]) for row in rows) == sum(len(page.results) for page in ran.pages)


# -- what the command line says --


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("interleave:rrf", TrialPlan("interleave", "rrf", 0.2)),
        ("split:rrf:0.05", TrialPlan("split", "rrf", 0.05)),
        ("split:0123456789abcdef", TrialPlan("split", "0123456789abcdef", 0.1)),
    ],
)
def test_plans(text: str, plan: TrialPlan) -> None:
    assert parse_trial(text) == plan
    assert plan.name == f"{plan.mode}_{plan.against[:12]}"


@pytest.mark.parametrize(
    "text", ["", "rrf", "ab:rrf", "interleave", "interleave:best", "split:abc", "split:rrf:0", "split:rrf:1", "split:rrf:x"]
)
def test_other_plans_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"write interleave:rrf:0\.2 or split:CONTENT_ID:0\.1"):
        parse_trial(text)


def test_a_version_is_compared_with_what_is_live() -> None:
    live = Policy.untrained(DEFINITION)
    content = fit(DEFINITION, {}, 0)
    plan = parse_trial(f"split:{content.content_id[:12]}:0.3")
    dressed = with_trial(plan, content=content)(live)
    assert isinstance(dressed, Split)
    assert isinstance(dressed.b, Policy)
    assert (dressed.b.content_id, dressed.a) == (content.content_id, live)
    assert isinstance(with_trial(parse_trial("interleave:rrf"))(live), Interleaved)
    with pytest.raises(InvalidSetting, match="give that version"):
        with_trial(plan)
    with pytest.raises(InvalidSetting, match="give that version"):
        with_trial(parse_trial("split:rrf"), content=content)


def test_the_fixed_mix_asks_what_does_not_learn() -> None:
    asked = fixed_mix(DEFINITION).decide(request("halo"), available=DEFINITION.strategies).asked()
    assert asked == {"lexical", "lexical_title"}
    shelf = fixed_mix(DEFINITION).decide(request(""), available=DEFINITION.strategies).asked()
    assert shelf == {"lexical", "lexical_title", "popular"}
    with pytest.raises(InvalidSetting, match="no strategies"):
        fixed_mix(Definition(arms=[ArmSpec.of("memory")]))


def test_sums_without_arms_are_no_result() -> None:
    found = read("t", {"a": np.zeros((GROUPS, len(COLUMNS)), dtype=np.int64)}, first=0, last=1)
    assert found.lacking is not None
    assert found.lacking.have == 0
