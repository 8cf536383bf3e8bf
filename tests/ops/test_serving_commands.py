"""`forage demo` and `forage serve` as processes: what they print, that they end when they are asked to, and what is there after that."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from evaluation.datasets.folder import write
from ops.cli import app
from tests.checks.serving import GAMES, until

ROOT = Path(__file__).parents[2]


@contextmanager
def running(folder, *words):
    """The command as a process; gives it and its URL."""
    command = [sys.executable, "-m", "ops.cli", *map(str, words)]
    environment = {**os.environ, "FORAGE_DATA_DIR": str(folder), "FORAGE_STRATEGIES": "lexical,memory,popular", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            seen = ""
            while not (found := re.search(r"^console: (http://127\.0\.0\.1:\d+/)$", seen, re.MULTILINE)):
                line = process.stdout.readline()
                assert line, process.stderr.read()
                seen += line
            yield process, found[1]
        finally:
            process.kill()


def get(url):
    with urlopen(url, timeout=20) as answer:
        return json.load(answer)


def post(url, plain):
    with urlopen(Request(url, json.dumps(plain).encode(), {"content-type": "application/json"}), timeout=20) as answer:
        return json.load(answer)


def test_the_demo_learns_and_stops_at_ctrl_c(tmp_path):
    with running(tmp_path, "demo", "--port", 0, "--speed", 20) as (process, url):
        until(lambda: "search about 20 times a second" in post(f"{url}demo/speed", {"speed": 20})["said"])
        until(lambda: get(f"{url}policy")["version"], 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()
    assert list((tmp_path / "demo-service" / "seed-7" / "snapshots" / "manifests").glob("*.json"))


def test_a_server_that_is_killed_has_what_was_counted(tmp_path):
    data = tmp_path / "games"
    write(data, entities=GAMES)
    with running(tmp_path, "serve", "--data", data, "--port", 0) as (process, url):
        found = post(f"{url}search", {"query": "halo", "client_id": "anna"})
        first = found["results"][0]["entity_id"]
        click = {
            "type": "action", "schema_version": 1, "action_id": "a", "search_id": found["search_id"], "kind": "click", "entity_id": first,
            "position": 1, "token": found["token"],
        }  # fmt: skip
        assert post(f"{url}events", {"client_id": "anna", "events": [click]})["accepted"] == 1
        until(lambda: first in json.dumps(get(f"{url}memory?query=halo")))
        process.send_signal(signal.SIGKILL)
    with running(tmp_path, "serve", "--data", data, "--port", 0, "--trial", "interleave:rrf") as (process, url):
        assert first in json.dumps(get(f"{url}memory?query=halo"))
        assert post(f"{url}events", {"client_id": "anna", "events": [click]})["accepted"] == 1  # its token is still good
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["demo", "--searches", "5"], "are about the report; add --no-serve"),
        (["serve", "--data", "nowhere"], "dataset nowhere is not a folder"),
        (["serve", "--data", "games", "--host", "0.0.0.0"], "for this machine alone"),
        (["serve", "--data", "games", "--trial", "coin:rrf", "--port", "0"], "begins with 'coin'"),
        (["serve", "--data", "games", "--strategies", "nothing"], "no strategy ['nothing']"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_remedy(words, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ops.logs.configure", lambda *_, **__: None)
    write(tmp_path / "games", entities=GAMES)
    found = CliRunner().invoke(app, words, env={"FORAGE_DATA_DIR": str(tmp_path / "var"), "FORAGE_STRATEGIES": "lexical,memory"})
    assert (found.exit_code, why in found.stderr) == (1, True), found.stderr
