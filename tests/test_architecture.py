"""The arrows of ARCHITECTURE.md, enforced: who may import whom, where each heavy library lives, and how long a file may grow."""

import ast
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "memory_index": {"schemas"},
    "learners": {"schemas"},
    "retrievers": {"schemas", "memory_index"},
    "streams": {"schemas", "memory_index", "learners"},
    "display": set(),
    "serving": {"schemas", "learners", "retrievers", "display"},
    "evaluation": {"schemas", "memory_index", "learners", "retrievers", "display"},
}
MAY_IMPORT["ops"] = set(MAY_IMPORT)

HOME = {
    "faust": "streams/faust_app", "aiokafka": "streams/faust_app", "mode": "streams/faust_app", "kafka": "streams",
    "duckdb": "memory_index", "river": "learners/river.py", "lightgbm": "learners", "hnswlib": "retrievers",
    "tantivy": "retrievers", "sentence_transformers": "retrievers", "numba": "retrievers", "fastapi": "serving",
    "starlette": "serving", "jinja2": "serving", "uvicorn": "ops", "typer": "ops",
}  # fmt: skip
NOWHERE = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}  # data that runs code when it is read
SCHEMAS_NEED = {"schemas", "pydantic", "pydantic_core"}  # whoever reads messages installs no more than this
MAX_LINES = 400

FILES = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(node: ast.AST) -> set[str]:
    """Top-level names that one node imports; `import_module("x")` counts."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "write imports from the root: a relative one hides its arrow"
        return {str(node.module).partition(".")[0]}
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            return {str(node.args[0].value).partition(".")[0]}
    return set()


def imports(path: Path) -> set[str]:
    """Top-level names that a file imports, including inside functions."""
    return {name for node in ast.walk(ast.parse(path.read_text("utf-8"))) for name in imported(node)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_the_arrows(path):
    here, found = path.relative_to(ROOT), imports(path)
    package = here.parts[0]
    assert found & MAY_IMPORT.keys() <= MAY_IMPORT[package] | {package}
    assert not {library for library in found & HOME.keys() if not here.is_relative_to(HOME[library])}
    assert not found & NOWHERE
    if package == "schemas":
        assert found <= SCHEMAS_NEED | sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_stays_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=name_of)
def test_init_holds_one_paragraph_and_nothing_else(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert len(tree.body) == 1, "move the code into a module of its own"
    assert ast.get_docstring(tree), "say in a paragraph what the package is for"
    assert "\n\n" not in str(ast.get_docstring(tree)), "one paragraph is enough"


@pytest.mark.parametrize("path", [path for path in FILES if not path.is_relative_to(ROOT / "ops")], ids=name_of)
def test_only_ops_reads_the_environment_and_arguments(path):
    tree = ast.parse(path.read_text("utf-8"))
    read = {
        f"{node.value.id}.{node.attr}" for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    read |= {f"{node.module}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not read & {"os.environ", "os.getenv", "os.environb", "sys.argv"}, "take it as an argument; ops/wiring.py passes it"


def test_folders_with_code_are_packages_that_are_named_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == MAY_IMPORT.keys()
    assert {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]} == packages
    assert set(project["tool"]["mypy"]["packages"]) == packages
    for path in FILES:
        assert (path.parent / "__init__.py").exists(), f"{name_of(path.parent)} is not installed without an __init__.py"


def test_folders_of_tests_are_no_packages_and_names_of_tests_are_unique():
    """A folder tests/schemas with an `__init__` would shadow the real package."""
    assert [name_of(path) for path in TESTS if path.name == "__init__.py"] == []
    assert [name for name, count in Counter(path.name for path in TESTS if path.name.startswith("test_")).items() if count > 1] == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_have_no_mocks(path):
    names = {
        alias.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert not (imports(path) | names) & {"mock", "pytest_mock", "MagicMock", "Mock"}
