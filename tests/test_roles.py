"""Roles install apart: each role's part imports and works when nothing but its own libraries can be imported.

The libraries of a role are read from pyproject.toml and from what is installed, so a new dependency is seen here by itself.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = {path.parent.name for path in ROOT.glob("*/__init__.py")}

# Refuses every import of a library in the first argument, as if it were not installed; then runs the second.
GUARD = """
import sys
blocked = set(sys.argv[1].split(","))
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not installed in this role", name=name)
sys.meta_path.insert(0, NotInstalled())
exec(sys.argv[2])
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that the requirements bring, with what those bring; `forage[x]` is one of our extras."""
    names: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        need, extra = waiting.pop()
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        if need.name == PROJECT["name"]:
            waiting += [(Requirement(text), "") for each in need.extras for text in PROJECT["optional-dependencies"][each]]
            continue
        if (name := canonical(need.name)) in names:
            continue
        names.add(name)
        try:
            brought = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        waiting += [(Requirement(text), each) for text in brought for each in (need.extras or {""})]
    return names


def libraries(*extras: str) -> set[str]:
    """Top-level names that can be imported in the base role with these extras."""
    held = closure(PROJECT["dependencies"] + [text for extra in extras for text in PROJECT["optional-dependencies"][extra]])
    return {top for top, owners in packages_distributions().items() if {canonical(owner) for owner in owners} & held}


def run(code: str, *extras: str) -> None:
    names = ",".join(sorted(packages_distributions().keys() - libraries(*extras) - OURS))
    done = subprocess.run([sys.executable, "-c", GUARD, names, code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def modules(*packages: str, but: tuple[str, ...] = ()) -> list[str]:
    """Every module of the packages, `but` some and what is below them."""
    found = []
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if not any(name == one or name.startswith(f"{one}.") for one in but):
                found.append(name)
    return found


BASE = [
    *modules("schemas"),
    *modules("learners", but=("learners.river",)),
    "streams.producer",
    "streams.subscriber",
    "streams.partitioning",
    "memory_index.counts",
    "memory_index.q2e",
    "memory_index.reader",
    "ops.cli",
]
SEARCH = [*BASE, *modules("retrievers", "serving")]
WORKER = [*modules("schemas", "learners", "memory_index", "streams"), "ops.cli", "ops.definitions"]  # what `forage worker` loads


@pytest.mark.parametrize(("extras", "names"), [((), BASE), (("search",), SEARCH), (("worker",), WORKER)], ids=["base", "search", "worker"])
def test_role_imports_its_surface_without_the_libraries_of_the_others(extras, names):
    run(f"import importlib\nfor name in {names!r}: importlib.import_module(name)", *extras)


def test_base_role_brings_six_libraries_and_not_the_others():
    wanted = {"pydantic", "kafka-python", "crc32c", "lz4", "numpy", "typer"}
    assert {canonical(Requirement(text).name) for text in PROJECT["dependencies"]} == wanted
    base = libraries()
    assert {"pydantic", "kafka", "numpy", "typer"} <= base
    assert not {"faust", "aiokafka", "duckdb", "pyarrow", "river", "tantivy", "torch", "pytest", "confluent_kafka"} & base
    assert {"faust", "aiokafka", "duckdb", "pyarrow", "river"} <= libraries("worker")
    assert {"tantivy", "hnswlib"} <= libraries("search") - libraries("worker")
    assert not {"sentence_transformers", "torch"} & libraries("worker", "search"), "encoders are an extra of their own: gigabytes"


def test_the_guard_refuses_the_library_of_another_role():
    with pytest.raises(AssertionError, match="duckdb is not installed in this role"):
        run("import duckdb")
    run("import duckdb", "worker")


DECIDE_AND_RANK = """
from learners.definition import AlwaysSpec, ArmSpec, Definition
from learners.policy import Policy
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from schemas.candidates import Candidate, Request
from schemas.codec import decode, encode
from schemas.decisions import Decision
from schemas.ids import query_class, query_key
from schemas.rows import MemoryRow

memory = MemoryReader(Reading())
row = dict(query_key="halo", segment="", day=20_000, acted=[0, 90, 0, 0, 0, 0, 0, 0, 0, 0], clients=[*range(8)])
memory.put(0, [MemoryRow(entity_id="game:halo", shown=[90, 0, 0, 0, 0, 0], **row)])
assert memory.entities("halo", "") == ["game:halo"]

key = query_key("Halo!")
request = Request(search_id="s-1", ts=20_000 * 86_400_000, query="Halo!", query_key=key, query_class=query_class(key))
definition = Definition(salt="s", arms=[ArmSpec.of("dense"), ArmSpec.of("memory")], always=[AlwaysSpec(name="lexical")])
policy = Policy.untrained(definition)
decision = policy.decide(request, available=["dense", "lexical", "memory"], memory=memory)
assert decode(Decision, encode(decision)) == decision
lists = {"lexical": [Candidate("game:gears", 2.0), Candidate("game:halo", 1.0)], "memory": [Candidate("game:halo", 0.5)]}
page = policy.rank(request, {name: found for name, found in lists.items() if name in decision.asked()}, memory=memory)
assert {ranked.entity_id for ranked in page} == {"game:gears", "game:halo"}
assert page[0].entity_id == "game:halo", page  # a click at every look, against the first place of a list
assert {placed.one.entity_id for placed in policy.place(request, page)} == {"game:gears", "game:halo"}
"""

PRODUCE = """
import tempfile
from pathlib import Path
from streams.partitioning import partition
from streams.producer import EventProducer

assert 0 <= partition("s-1", 4) < 4
with tempfile.TemporaryDirectory() as folder:
    producer = EventProducer("127.0.0.1:1", spill=Path(folder))  # nobody listens there
    event = dict(type="action", action_id="a", search_id="s-1", ts=1, kind="click", entity_id="e")
    assert producer.action(event)
    assert not producer.flush(0.2)
    producer.close(0.2)
    assert (producer.counters().accepted, producer.counters().sent) == (1, 0)
    assert any(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())  # it waits on disk
"""


def test_base_role_decides_and_ranks():
    run(DECIDE_AND_RANK)


def test_base_role_keeps_an_event_while_the_broker_is_away():
    run(PRODUCE)


HELP = """
sys.argv = ["forage", "--help"]
from ops.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code
"""


def test_base_role_shows_the_commands():
    run(HELP)
