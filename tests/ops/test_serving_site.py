"""A site out of settings: whose tokens count, where it may be served, what its metrics say, and the demo's people inside it."""

import threading
from dataclasses import replace
from hashlib import sha256
from random import Random
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from evaluation.people.catalogue import catalogue
from evaluation.people.drift import drift
from evaluation.people.listeners import people
from ops.cli import app
from ops.serving.crowd import Listeners
from ops.serving.opening import opened
from ops.serving.running import Server, bound
from ops.serving.site import check_exposed, grants_of, token_key
from ops.settings import Settings
from ops.telemetry import SERVICE
from schemas.errors import InvalidSetting, Unavailable
from serving.outcomes import OutcomeSums
from serving.searching import SearchRequest, search
from tests.checks.serving import backend_on, until


def settings(folder, **more):
    return replace(Settings(), data=folder, **more)


def test_the_key_of_tokens_is_made_once(tmp_path):
    key = token_key(settings(tmp_path / "new"))
    assert len(key) == 32
    assert token_key(settings(tmp_path / "new")) == key != token_key(settings(tmp_path / "other"))
    assert (tmp_path / "new" / "token-key").stat().st_mode & 0o777 == 0o600
    assert token_key(settings(tmp_path, token_key="of all our servers")) == b"of all our servers"
    (tmp_path / "new" / "token-key").write_bytes(b"cut off")
    with pytest.raises(InvalidSetting, match="has 7 bytes, a key has 32; delete it"):
        token_key(settings(tmp_path / "new"))
    (tmp_path / "file").write_text("")
    with pytest.raises((Unavailable, OSError)):
        token_key(settings(tmp_path / "file"))


def test_the_command_makes_tokens_that_are_taken(tmp_path):
    made = CliRunner().invoke(app, ["token", "shop", "--scopes", "search,events"])
    token = made.stderr.rpartition(": ")[2].strip()
    path = tmp_path / "tokens.txt"
    path.write_text(f"# of this shop\n{made.stdout}\n{CliRunner().invoke(app, ['token', 'ops', '--scopes', 'all']).stdout}")
    first, second = grants_of(settings(tmp_path, api_tokens_file=str(path)))
    assert (first.name, first.sha256, first.scopes) == ("shop", sha256(token.encode()).hexdigest(), ["search", "events"])
    assert (second.name, len(second.scopes)) == ("ops", 4)
    assert token not in path.read_text()
    wrong = CliRunner().invoke(app, ["token", "shop", "--scopes", "admin"])
    assert (wrong.exit_code, "has scopes ['admin']" in wrong.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("shop abc\n", "line 1: has 2 words"),
        ("# nobody\n", "must hold at least one token"),
        (f"a {'0' * 64} search\na {'1' * 64} search\n", "each under a name of its own"),
        (f"a {'0' * 64} delete\n", "has scopes"),
        ("a xyz search\n", "64 digits"),
        (b"\xff\xfe", "does not read"),
    ],
)
def test_a_file_of_tokens_that_is_wrong_is_refused(text, why, tmp_path):
    path = tmp_path / "tokens.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidSetting, match=why):
        grants_of(settings(tmp_path, api_tokens_file=str(path)))


def test_an_open_server_stays_on_its_machine():
    check_exposed("127.0.0.1", open_=True)
    check_exposed("::1", open_=True)
    check_exposed("0.0.0.0", open_=False)
    with pytest.raises(InvalidSetting, match="for this machine alone; set FORAGE_API_TOKENS_FILE"):
        check_exposed("0.0.0.0", open_=True)


def test_an_address_in_use_is_refused():
    with bound("127.0.0.1", 0) as one:
        one.listen()
        with pytest.raises(Unavailable, match="give --port another one"):
            bound("127.0.0.1", one.getsockname()[1])


def test_the_metrics_are_those_that_are_documented(tmp_path):
    with backend_on(tmp_path / "state") as backend, opened(backend, settings(tmp_path), name="games", outcomes=OutcomeSums()) as site:
        answer = search(site, SearchRequest(query="halo", client_id="c"))
        search(site, SearchRequest(query="halo"), counted=False)
        site.live.refused("too_many")
        until(lambda: backend.flow().behind == 0)
        families = {one.name: one for one in text_string_to_metric_families(site.samples().decode())}
        named = {name.removesuffix("_total") for name in SERVICE} - {"forage_without"}
        assert named <= families.keys()
        values = {(one.name, *sorted(one.labels.values())): one.value for family in families.values() for one in family.samples}
        assert values["forage_searches_total",] == 1
        assert values["forage_search_seconds_count",] == 1
        assert 0 < values["forage_search_seconds_sum",] < 60
        assert values["forage_refused_requests_total", "too_many"] == 1
        assert values["forage_stage_total", "counted"] == 1
        asked = [one.name for one in answer.decision.strategies if one.asked]
        assert {key[2] for key in values if key[:2] == ("forage_strategy_calls_total", "lexical")} | {"ok"} == {"ok"}
        assert values["forage_strategy_calls_total", "lexical", "ok"] == asked.count("lexical") == 1


def test_made_up_people_search_and_click_at_the_speed_that_is_set(tmp_path):
    music = catalogue(7)
    crowd = Listeners(people(drift(music, 7), 7), speed=0.0, rng=Random(1))
    outcomes = OutcomeSums()
    with backend_on(tmp_path / "state") as backend:
        backend.put(music.entities)
        with opened(backend, settings(tmp_path), name="demo", outcomes=outcomes, crowd=crowd) as site:
            assert (crowd.searches, "rest" in crowd.said) == (0, True)
            with pytest.raises(InvalidSetting, match="must be 0"):
                crowd.set_speed(51)
            crowd.set_speed(50)
            until(lambda: site.live.read().actions.get("click", 0) >= 3)
            assert crowd.searches >= 1
            assert site.kept.latest(1)[0].counted
            crowd.set_speed(0)
        searches = crowd.searches
        assert not crowd._thread.is_alive()  # the door is closed
        assert crowd.searches == searches


def test_a_server_answers_until_it_is_ended(tmp_path):
    path = tmp_path / "tokens.txt"
    path.write_text(CliRunner().invoke(app, ["token", "ops", "--scopes", "all"]).stdout)
    with (
        backend_on(tmp_path / "state") as backend,
        opened(backend, settings(tmp_path, api_tokens_file=str(path)), name="games", outcomes=OutcomeSums()) as site,
    ):
        server = Server(site, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        until(lambda: server.answers)
        assert urlopen(f"{server.url}healthz").status == 200
        with pytest.raises(HTTPError, match="401"):
            urlopen(Request(f"{server.url}search", b'{"query": "halo"}', {"content-type": "application/json"}))
        server.end()
        thread.join(10)
        assert not thread.is_alive()
