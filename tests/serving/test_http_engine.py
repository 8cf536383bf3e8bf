"""Decide and rank for an engine of one's own, and what can be read of the service."""

import json
import time
from collections.abc import Iterator

import pytest

from schemas.codec import decode_event, encode
from schemas.decisions import Decision
from schemas.errors import InvalidSetting
from schemas.events import Impression
from serving.record import MAX_CANDIDATES
from tests.serving.http_shop import Shop, click, shop


class Sleepers:
    """Simulated people who only say how fast they would search."""

    speed, searches, said = 5.0, 12, "a dozen people who sleep"

    def set_speed(self, speed: float) -> None:
        if speed > 50.0:
            raise InvalidSetting(f"speed is {speed}, these people manage at most 50 searches a second; ask for less")
        self.speed = speed


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop"), crowd=Sleepers()) as made:
        yield made


def decided(service: Shop, **more: object) -> dict:
    answer = service.post("/decide", {"query": "halo", "client_id": "c-1", **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ranking(one: dict, **more: object) -> dict:
    lists = {"lexical": [{"entity_id": f"game:{number:03d}", "score": 10 - number} for number in (4, 8, 0)]}
    asked = Decision.model_validate_json(json.dumps(one["decision"])).asked()
    return {"query": "halo", "client_id": "c-1", "search_id": one["search_id"], "decision": one["decision"],
            "lists": {name: lists.get(name, []) for name in asked}, **more}  # fmt: skip


def test_a_decision_is_the_same_for_the_same_search_and_nothing_is_recorded(service):
    before = len(service.backend.events)
    one, two = decided(service, search_id="mine-1"), decided(service, search_id="mine-1")
    assert one["search_id"] == "mine-1"
    assert one["decision"] == two["decision"]
    assert decided(service)["search_id"].startswith("search-")
    assert len(service.backend.events) == before


def test_an_engine_says_which_strategies_it_has(service):
    decision = decided(service, available=["lexical", "of_its_own"])["decision"]
    assert decision["available"] == ["lexical", "of_its_own"]
    assert [arm["name"] for arm in decision["arms"]] == ["lexical"]
    assert decided(service, available=[])["decision"]["arms"] == []


def test_what_was_found_is_ranked_and_the_impression_is_ready_to_be_logged(service):
    one, before = decided(service), len(service.backend.events)
    page = service.post("/rank", ranking(one)).json()
    assert [result["entity_id"] for result in page["results"]] != []
    assert {result["entity_id"] for result in page["results"]} == {"game:000", "game:004", "game:008"}
    assert all(result["title"] and 0.0 < result["placement"]["p"] <= 1.0 for result in page["results"])
    impression = decode_event(encode(Impression.model_validate_json(json.dumps(page["impression"]))))
    assert isinstance(impression, Impression)
    assert impression.decision is not None
    assert impression.decision.salt == "shop"
    lexical = next(arm for arm in impression.decision.arms if arm.name == "lexical")
    assert (lexical.returned, lexical.status) == (3, "ok")
    assert 3 <= len(impression.candidates) <= MAX_CANDIDATES
    assert page["recorded"] is False
    assert len(service.backend.events) == before


def test_a_recorded_ranking_is_a_search_that_people_act_on(service):
    one = decided(service)
    page = service.post("/rank", ranking(one, record=True)).json()
    assert page["recorded"] is True
    assert service.backend.events[-1].search_id == one["search_id"]
    answer = service.post("/events", {"client_id": "c-1", "events": [click(page)]}).json()
    assert answer == {"accepted": 1, "duplicates": 0, "refused": []}
    assert service.get(f"/explain?search_id={one['search_id']}").status_code == 200


def test_where_there_is_no_room_a_ranking_is_not_said_to_be_recorded(service):
    body, service.backend.full = ranking(decided(service), record=True), True
    try:
        assert service.post("/rank", body).status_code == 503
    finally:
        service.backend.full = False


def test_how_asking_went_is_logged_and_what_is_missing_had_failed(service):
    one = decided(service, search_id="runs")
    body = ranking(one)
    asked = sorted(body["lists"])
    assert len(asked) >= 2
    body["lists"] = {}
    body["runs"] = {asked[0]: {"ms": 12.5, "status": "late"}}
    arms = {arm["name"]: arm for arm in service.post("/rank", body).json()["impression"]["decision"]["arms"]}
    assert (arms[asked[0]]["status"], arms[asked[0]]["ms"]) == ("late", 12.5)
    assert arms[asked[1]]["status"] == "failed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lists": {"nobody": []}}, "nobody was not asked"),
        ({"runs": {"nobody": {}}}, "nobody was not asked"),
        ({"lists": {"lexical": [{"entity_id": "a", "score": 1}, {"entity_id": "a", "score": 2}]}}, "holds an entity twice"),
        ({"lists": {"lexical": [{"entity_id": "a", "score": "1"}]}}, "must be a number"),
        ({"lists": {"lexical": [{"entity_id": "a", "score": 1}] * 1_001}}, "at most 1000 items"),
        ({"runs": {"lexical": {"status": "not_asked"}}}, "the strategy was asked"),
        ({"decision": None}, "decision: must be an object"),
        ({"search_id": ""}, "search_id: must have at least 1"),
    ],
)
def test_a_ranking_that_does_not_fit_its_decision_is_refused(service, change, said):
    answer = service.post("/rank", ranking(decided(service)) | change)
    assert answer.status_code == 422
    assert any(said in line for line in answer.json()["error"]["problems"])


def test_a_union_that_would_hold_a_core_for_long_is_refused(service):
    names = [f"s{number}" for number in range(6)]
    arms = [{"name": name, "asked": True, "propensity": 1.0, "depth": 1_000} for name in names]
    decision = {"decision_id": "d", "content_id": "", "seq": 0, "available": names, "arms": arms}
    body = {"query": "halo", "search_id": "wide", "decision": decision}
    for each, status in ((800, 200), (900, 422)):
        body["lists"] = {name: [{"entity_id": f"{name}-{at}", "score": 1} for at in range(each)] for name in names}
        assert service.post("/rank", body).status_code == status


def test_a_page_is_explained_as_a_whole_and_by_item(service):
    page = service.search("halo", k=3)
    about = f"/explain?search_id={page['search_id']}"
    whole = service.get(about).json()
    assert whole["sentence"] == whole["story"]["sentence"]
    assert {part["strategy"] for part in whole["story"]["parts"]} == {"lexical", "memory", "popular"}
    first = page["results"][0]
    item = service.get(f"{about}&entity_id={first['entity_id']}").json()["explanation"]
    assert (item["place"], item["title"], item["score"]) == (1, first["title"], first["score"])
    lost = service.get(f"{about}&entity_id=nothing").json()
    assert lost["missing"]["stage"] == "catalogue"
    assert lost["sentence"]
    for gone in ("/explain?search_id=gone", f"{about}&page=2"):
        assert "search again" in service.get(gone).json()["error"]["message"]


def test_memory_tells_what_was_counted(service):
    page = service.search("racing", client_id="m-1", explore=False)
    first = page["results"][0]["entity_id"]
    service.post("/events", {"client_id": "m-1", "events": [click(page, kind="like")]})
    ends = time.monotonic() + 20.0
    while not (found := service.get("/memory?query=%20Racing!").json()["entities"]) or not found[0]["acted"]:
        assert time.monotonic() < ends
    assert (found[0]["entity_id"], found[0]["acted"], found[0]["shown"]["1"]) == (first, {"like": 1}, 1)
    assert found[0]["reward"] > 0.0
    assert service.get("/memory?query=never").json() == {"query_key": "never", "segment": "", "total": 0, "entities": []}
    assert service.get("/memory?query=").json()["query_key"] == "surface:search"


def test_publications_are_listed_and_ordered(service):
    versions = service.get("/snapshots").json()["snapshots"]
    policy = service.get("/policy").json()
    assert policy["version"] == versions[-1]
    assert {arm["name"] for arm in policy["definition"]["policy"]["arms"]} == {"lexical", "memory", "popular"}
    assert policy["available"] == ["lexical", "memory", "popular"]
    content = versions[0]["content_id"]
    said = service.post("/snapshots", {"action": "rollback", "content_id": content, "reason": "a test"}).json()["said"]
    assert said
    after = service.get("/snapshots").json()["snapshots"]
    assert (after[-1]["content_id"], after[-1]["pinned"]) == (content, True)
    assert len(after) == len(versions) + 1, "going back is a new entry"
    assert service.post("/snapshots", {"action": "unpin"}).status_code == 200
    assert service.post("/snapshots", {"action": "rollback", "content_id": "f" * 64}).status_code == 404
    assert service.post("/snapshots", {"action": "delete"}).status_code == 422


def test_health_readiness_and_figures(service):
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json() == {"status": "ready", "degraded": [], "strategies": ["lexical", "memory", "popular"]}
    metrics = service.get("/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.text == "forage_up 1\n"


def test_the_speed_of_simulated_people_can_be_set(service):
    assert service.post("/demo/speed", {"speed": 0}).json() == {"speed": 0.0, "searches": 12, "said": "a dozen people who sleep"}
    assert "at most 50" in service.post("/demo/speed", {"speed": 51}).json()["error"]["message"]
    assert service.post("/demo/speed", {"speed": -1}).status_code == 422


def test_without_simulated_people_there_is_no_speed(tmp_path):
    with shop(tmp_path) as service:
        assert "forage demo" in service.post("/demo/speed", {"speed": 1}).json()["error"]["message"]
