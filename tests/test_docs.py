"""Words are checked like code: what the docs name exists, and what exists is named in the docs.

Only code is read: spans in backticks, fenced and indented blocks, and targets of links.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.events import Event
from schemas.export import MESSAGES
from schemas.topics import TOPICS

ROOT = Path(__file__).parent.parent
NEEDED = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")
DOCS = sorted({ROOT / name for name in NEEDED} | set((ROOT / "docs").rglob("*.md")))
MADE = ("var", "build", "dist", "forage.egg-info")
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0].islower() and path.name not in MADE)
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
FILE = re.compile(r"[\w.*-]+\.(py|md|toml|yml|sh|xml|sql|template)")
SETTING = re.compile(r"\bFORAGE_[A-Z0-9_]+\b")
HISTORY = ("CHANGELOG.md",)  # tells of what was: names in it may be gone


def read(path: Path) -> str:
    assert path.exists(), f"{path.relative_to(ROOT)} is missing; write it (CONTRIBUTING.md, house rules)"
    return path.read_text("utf-8")


def code(path: Path) -> list[str]:
    """Lines of blocks and spans that are code, and targets of links into the repository."""
    text, out = read(path), []
    for block in re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        out += re.sub(r"\\\n\s*", " ", block).splitlines()
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    out += re.findall(r"^(?: {4}|\t)(.+)$", text, re.MULTILINE)
    text = re.sub(r"^(?: {4}|\t).+$", "", text, flags=re.MULTILINE)
    out += [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", text)]
    return out + [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target and target[0] != "#"]


def all_code(*, history: bool = True) -> list[str]:
    return [line for path in DOCS if history or path.name not in HISTORY for line in code(path)]


def commands() -> dict[tuple[str, ...], set[str]]:
    """Path of every command and group of `forage` -> its options. ("data", "import") -> {"--out", "--help"}."""
    typer, cli = importlib.import_module("typer"), importlib.import_module("ops.cli")
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if not getattr(command, "hidden", False):
            found[path] = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
            for name, child in getattr(command, "commands", {}).items():
                walk(child, (*path, name))

    walk(typer.main.get_command(cli.app), ())
    return found


def said() -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(words of the command, what follows it, the line) of every `forage ...` in the code of the docs."""
    known = commands()
    for line in all_code(history=False):
        for match in re.finditer(r"(?<![\w./-])(?:\.venv/bin/)?forage((?: +[\w./:=,*\[\]<>|'\"-]+)*)", line):
            words, paths = match[1].split(), [()]
            while words and all((*paths[0], name) in known for name in words[0].split("|")):  # list|show names two commands
                paths = [(*paths[0], name) for name in words.pop(0).split("|")]
            yield from ((path, " ".join(words), line) for path in paths)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))


def event_types() -> set[str]:
    return {member.model_fields["type"].default for member in get_args(Event)}


@pytest.mark.parametrize("name", [*NEEDED, "LICENSE", "Makefile"])
def test_project_file_is_there(name):
    assert len(read(ROOT / name)) > 100


def test_every_command_named_exists_with_its_options():
    known, wrong = commands(), []
    for path, rest, line in said():
        group = any(len(other) > len(path) and other[: len(path)] == path for other in known)
        if group and re.match(r"[a-z]", rest):
            wrong.append(f"`{line.strip()}`: {' '.join(('forage', *path))} has no command {rest.split()[0]!r}")
        wrong += [f"`{line.strip()}`: no option {option}" for option in re.findall(r"--[a-z][\w-]*", rest) if option not in known[path]]
    assert wrong == []


def test_every_command_is_named():
    named = {path for path, _, _ in said()}
    assert [" ".join(("forage", *path)) for path in commands() if path and not any(one[: len(path)] == path for one in named)] == []


def test_every_make_target_named_exists_and_every_one_is_named():
    named = {name for line in all_code(history=False) for name in re.findall(r"(?:^|[\s;&])make (?:[A-Z]+=\S+ )*([a-z]+)", line)}
    assert named - targets() == set()
    assert targets() - named == set()


def test_every_event_type_named_exists_and_every_one_is_named():
    lines = all_code(history=False)
    in_json = {name for line in lines for name in re.findall(r"""(?<!\w)["']?type["']?\s*[:=]\s*["'](\w+)["']""", line)}
    assert in_json - MESSAGES.keys() == set()
    words = {word for line in lines for word in re.findall(r"\w+", line)}
    assert event_types() - words == set()


def test_every_topic_named_exists():
    prefixes = "|".join(sorted({topic.name.partition(".")[0] for topic in TOPICS if "." in topic.name}))
    named = {name for line in all_code(history=False) for name in re.findall(rf"(?<![\w./-])(?:{prefixes})\.[a-z0-9]+(?![\w(./])", line)}
    assert named - {topic.name for topic in TOPICS} == set()


def test_every_setting_named_is_read_and_every_one_is_named():
    """Settings are what `ops` and the Compose file read from the environment."""
    readers = [path for path in SOURCES if path.parts[len(ROOT.parts)] == "ops"] + [ROOT / "docker-compose.yml"]
    settings = {name for path in readers for name in SETTING.findall(path.read_text("utf-8"))}
    for_tests = {name for path in SOURCES if path.suffix == ".py" for name in SETTING.findall(path.read_text("utf-8"))}
    named = {name for line in all_code(history=False) for name in SETTING.findall(line)}
    assert named - settings - for_tests == set()
    assert settings - named == set()


def paths_in(line: str) -> Iterator[str]:
    """Words of a line that claim to be a place in the repository: below one of its folders, or a file name of our kinds."""
    for word in re.split(r"[\s,;()\[\]{}\"'=]+", line):
        place = word.strip("`:.").removeprefix("./")
        below = "/" in place and place.partition("/")[0] in FOLDERS and re.fullmatch(r"[\w./*-]+", place)
        if below or FILE.fullmatch(place):
            yield place


def exists(place: str) -> bool:
    if "/" in place:
        return any(True for _ in ROOT.glob(place.rstrip("/")))
    names = [path.name for path in SOURCES] + [path.name for path in ROOT.iterdir()]
    return any(fnmatch(name, place) for name in names)


@pytest.mark.parametrize("doc", [path for path in DOCS if path.name not in HISTORY], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_named_exists(doc):
    assert [place for line in code(doc) for place in paths_in(line) if not exists(place)] == []


def headings(doc: Path) -> set[str]:
    """Anchors of a page, as GitHub makes them."""
    lines = [line for line in read(doc).splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_into_the_repository_leads_somewhere(doc):
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", read(doc)) if "://" not in target and not target.startswith("mailto:")]
    for target in targets:
        place, _, anchor = target.partition("#")
        aim = doc.parent / place if place else doc
        assert aim.exists(), target
        assert not anchor or anchor in headings(aim), target


def test_every_top_folder_is_in_the_architecture():
    text = read(ROOT / "ARCHITECTURE.md")
    assert [name for name in FOLDERS if not re.search(rf"`{name}/?`|^#+ .*\b{name}\b|^{name}/", text, re.MULTILINE)] == []


def examples() -> list[tuple[str, str]]:
    return [
        (f"{path.name}:{text[: match.start()].count(chr(10)) + 1}", match[1])
        for path in DOCS
        if path.exists()
        for text in [path.read_text("utf-8")]
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def test_python_in_the_docs_parses_and_its_imports_resolve():
    assert len(examples()) >= 3, "README shows the producer and both subscribers, each as a block that begins with ```python"
    for place, example in examples():
        imports = [node for node in ast.parse(example, place).body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), place, "exec"), {})
        assert len([line for line in example.splitlines() if line.strip()]) <= 15, f"{place}: an example has at most 15 lines"
