"""Search and events over HTTP: what is answered, what is taken, and what comes of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from schemas.base import DAY_MS
from schemas.events import Action, Impression
from serving.backend import Trouble
from serving.kept import MOST
from serving.signing import HALF_HOUR_MS
from tests.serving.http_shop import GRANTS, Shop, click, shop


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[Shop]:
    """A service with API tokens."""
    with shop(tmp_path_factory.mktemp("closed"), grants=GRANTS) as made:
        yield made


def taken(service: Shop, events: list, *, token: str = "", client_id: str | None = None) -> tuple[int, int, list[str]]:
    """(accepted, duplicates, problems of all refused ones) of a batch."""
    answer = service.post("/events", {"client_id": client_id, "events": events}, token=token).json()
    return answer["accepted"], answer["duplicates"], [line for one in answer["refused"] for line in one["problems"]]


def test_an_answer_has_everything_that_a_page_needs(service):
    page = service.search("Halo!", client_id="c-1", session_id="v-1", k=3, recent=["game:004"], context={"device": "phone"})
    assert set(page) == {"search_id", "token", "page", "results", "decision", "timing_ms", "degraded"}
    assert [one["position"] for one in page["results"]] == [1, 2, 3]
    assert all("halo" in one["title"] and one["entity_type"] == "game" and one["sources"] for one in page["results"])
    assert {one["name"] for one in page["decision"]["strategies"]} == {"lexical", "memory", "popular"}
    assert set(page["timing_ms"]) == {"decide", "retrieve", "rank", "total"}
    logged = service.backend.events[-1]
    assert isinstance(logged, Impression)
    assert (logged.search_id, logged.client_id, logged.session_id, logged.query.text) == (page["search_id"], "c-1", "v-1", "Halo!")
    assert [one.entity_id for one in logged.results] == [one["entity_id"] for one in page["results"]]


def test_pages_of_a_search_repeat_its_decision_and_fit_together(service):
    first = service.search("halo", client_id="c-1", k=4)
    second = service.search("halo", client_id="c-1", k=4, page=2, search_id=first["search_id"], token=first["token"])
    third = service.search("halo", client_id="c-1", k=4, page=3, search_id=first["search_id"], token=second["token"])
    assert first["search_id"] == second["search_id"] == third["search_id"]
    one, two = service.backend.events[-3], service.backend.events[-2]
    assert one.decision == two.decision
    positions = [result["position"] for page in (first, second, third) for result in page["results"]]
    assert positions == list(range(1, 13))
    assert len({result["entity_id"] for page in (first, second, third) for result in page["results"]}) == 12


def test_pages_are_turned_without_chance_and_long_after_the_whole_search_is_forgotten(service):
    first = service.search("halo", client_id="c-1", k=4, explore=False)
    whole = service.site.kept.get(first["search_id"])
    assert whole is not None
    for number in range(MOST):
        other = replace(whole.request, search_id=f"other {number}")
        service.site.kept.put(replace(whole, request=other))
    assert service.site.kept.get(first["search_id"]) is None
    second = service.search("halo", client_id="c-1", k=4, page=2, search_id=first["search_id"], token=first["token"])
    assert (second["search_id"], second["decision"]) == (first["search_id"], first["decision"])
    one, two = service.backend.events[-2:]
    assert (one.decision, [result.position for result in two.results]) == (two.decision, [5, 6, 7, 8])
    assert {(result.placement.mode, result.placement.p) for result in (*one.results, *two.results)} == {("score", 1.0)}


def test_only_who_was_answered_turns_pages(service):
    first = service.search("halo", client_id="c-1")
    turn = {"query": "halo", "client_id": "c-1", "page": 2, "search_id": first["search_id"], "token": first["token"]}
    for change, status in (
        ({"client_id": "c-2"}, 403), ({"search_id": "search-0"}, 403), ({"token": "x"}, 403), ({"token": None}, 403),
        ({"search_id": None}, 200), ({"query": "chess"}, 422), ({"k": 5}, 422), ({}, 200),
    ):  # fmt: skip
        assert service.post("/search", turn | change).status_code == status, change


def test_a_page_of_a_search_that_is_no_longer_kept_is_a_new_search(service):
    gone = service.site.signer.sign("gone", None, service.clock())
    page = service.search("halo", page=2, search_id="gone", token=gone)
    assert page["search_id"] != "gone"
    assert page["results"][0]["position"] == 11


def test_without_exploring_nothing_is_left_to_chance(service):
    page = service.search("halo", explore=False)
    assert {one["propensity"] for one in page["decision"]["strategies"] if one["asked"]} == {1.0}
    assert {one.placement.mode for one in service.backend.events[-1].results} == {"score"}


def test_what_is_missing_is_said_and_the_answer_comes_all_the_same(service):
    troubles = service.backend.__dict__
    troubles["troubles"] = lambda: [Trouble("memory", "memory is not here yet; wait"), Trouble("broker", "no broker; start it")]
    try:
        page = service.search("halo")
        assert page["degraded"] == ["memory", "broker"]
        assert page["results"]
        assert service.get("/readyz").json()["degraded"] == ["memory", "broker"]
    finally:
        del troubles["troubles"]


def test_a_click_changes_the_next_page(service):
    page = service.search("soccer", client_id="c-9")
    last = page["results"][-1]["entity_id"]
    assert taken(service, [click(page, last)], client_id="c-9") == (1, 0, [])
    ends = time.monotonic() + 20.0
    while service.search("soccer", client_id="c-9", explore=False)["results"][0]["entity_id"] != last:
        assert time.monotonic() < ends, "twenty seconds after a click the page is still the same"


def test_a_batch_may_be_sent_again(service):
    page = service.search("chess")
    batch = [click(page, action_id=f"b-{number}") for number in range(3)]
    before = len(service.backend.events)
    assert taken(service, batch) == (3, 0, [])
    assert taken(service, batch) == (0, 3, [])
    assert taken(service, [*batch, click(page, action_id="b-3")]) == (1, 3, [])
    assert len(service.backend.events) == before + 4
    other = click(page, action_id="b-0", kind="like")
    assert taken(service, [other])[2] == ["action_id: was sent before with other content; give every event an id of its own"]


def test_copies_that_come_at_once_are_taken_once(service):
    page, before = service.search("chess"), len(service.backend.events)
    batch = [click(page, action_id=f"once-{number}") for number in range(50)]
    with ThreadPoolExecutor(4) as senders:
        counts = [one.result()[:2] for one in [senders.submit(taken, service, batch) for _ in range(4)]]
    assert (sum(one for one, _ in counts), sum(two for _, two in counts)) == (50, 150)
    assert len(service.backend.events) == before + 50


def test_each_event_is_judged_alone(service):
    page = service.search("chess")
    good = click(page, action_id="alone")
    bad = [
        ({**good, "kind": "clik"}, "kind: must be 'viewed'"),
        ({**good, "entity_id": None}, "kind 'click' comes without entity_id"),
        ({**good, "reward": 100}, "reward: is no field"),
        ({**good, "ts": 1}, "ts: is more than 24 h from now"),
        ({**good, "ts": service.clock() + DAY_MS + 60_000}, "ts: is more than 24 h from now"),
        ({**good, "ts": "now"}, "ts: must be a whole number"),
        ({**good, "type": "purchase"}, "type: must be one of"),
        ({"type": "tick"}, "type: must be one of"),
        ({**good, "token": 5}, "token: must be text"),
        ("click", "message: must be an object"),
        (None, "message: must be an object"),
        ({}, "type: is missing"),
        ({**good, "search_id": "x" * 257}, "search_id: must have at most 256"),
        ({**good, "attributes": {"x": {"y": 1}}}, "attributes.x: must be text"),
    ]
    answer = service.post("/events", {"events": [one for one, _ in bad[:7]] + [good] + [one for one, _ in bad[7:]]}).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    assert [one["index"] for one in answer["refused"]] == [*range(7), *range(8, 15)]
    for one, (_, said) in zip(answer["refused"], bad, strict=True):
        assert said in one["problems"][0]
        assert ";" in one["problems"][0], "a refusal names the remedy"


def test_without_a_time_an_event_happened_when_it_came(service):
    page = service.search("chess")
    before = service.clock()
    assert taken(service, [click(page, action_id="untimed")])[0] == 1
    action = service.backend.events[-1]
    assert isinstance(action, Action)
    assert before <= action.ts <= service.clock()


def test_tokens_that_are_forged_borrowed_or_old_are_refused(service):
    page, other = service.search("chess", client_id="c-1"), service.search("halo", client_id="c-2")
    unseen = next(f"game:{number:03d}" for number in range(60) if f"game:{number:03d}" not in {one["entity_id"] for one in page["results"]})
    cases = [
        (click(page, token=other["token"]), "c-1", "of another search"),
        (click(page, token=("A" if page["token"][0] != "A" else "B") + page["token"][1:]), "c-1", "forged"),
        (click(page, token=""), "c-1", "is no token"),
        (click(page), "c-2", "of another client"),
        (click(page), None, "of another client"),
        (click(page, unseen), "c-1", "did not show this entity"),
        (click(page, search_id=other["search_id"]), "c-1", "of another search"),
    ]
    for event, client, said in cases:
        accepted, _, problems = taken(service, [event], client_id=client)
        assert accepted == 0
        assert said in problems[0]
    service.clock.ahead = HALF_HOUR_MS + 1_000
    try:
        assert "has expired" in taken(service, [click(page)], client_id="c-1")[2][0]
    finally:
        service.clock.ahead = 0
    assert taken(service, [click(page)], client_id="c-1")[0] == 1


def test_a_browser_needs_the_token_of_the_search_an_application_its_own(closed):
    page = closed.post("/search", {"query": "halo", "client_id": "c"}, token="page").json()
    bare = {name: value for name, value in click(page, action_id="bare").items() if name != "token"}
    shown = closed.backend.events[-1].model_dump(mode="json") | {"search_id": "own-1"}
    for token in ("", "page", "reader"):
        assert "token: is missing" in taken(closed, [bare], token=token)[2][0]
        assert "needs an API token with the scope events" in taken(closed, [shown], token=token)[2][0]
    assert taken(closed, [click(page)], client_id="c") == (1, 0, [])
    assert taken(closed, [bare, shown], token="app") == (2, 0, [])
    assert "forged" in taken(closed, [{**bare, "action_id": "b2", "token": "A" * 70}], token="app")[2][0], "a token that comes is checked"


def test_a_page_sends_small_batches(closed):
    page = closed.post("/search", {"query": "racing", "client_id": "c"}, token="page").json()
    many = [click(page) | {"action_id": f"a-{number}"} for number in range(101)]
    assert closed.post("/events", {"client_id": "c", "events": many}).status_code == 422
    assert taken(closed, many[:100], client_id="c") == (100, 0, [])
    assert taken(closed, [{**one, "action_id": f"b-{one['action_id']}"} for one in many], client_id="c", token="app") == (101, 0, [])


def test_where_there_is_no_room_nothing_is_lost_and_nothing_counts_twice(service):
    page = service.search("racing")
    batch = {"events": [click(page, action_id=f"room-{number}") for number in range(3)]}
    service.backend.full = True
    try:
        answer = service.post("/events", batch)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert service.search("racing")["results"], "a full log never delays an answer"
    finally:
        service.backend.full = False
    assert service.post("/events", batch).json()["accepted"] == 3


def test_what_was_done_stands_with_its_page_and_in_the_meters(service):
    page, before = service.search("racing"), service.site.live.read(5).actions.get("play", 0)
    assert taken(service, [click(page, kind="play")])[0] == 1
    kept = service.site.kept.get(page["search_id"])
    assert kept is not None
    assert [one.kind for one in kept.actions] == ["play"]
    assert service.site.live.read(5).actions["play"] == before + 1


def test_actions_on_a_try_teach_nothing_and_say_so(service):
    from serving.searching import SearchRequest, search

    logged = len(service.backend.events)
    page = search(service.site, SearchRequest(query="halo"), counted=False).model_dump(mode="json")
    assert "was a try that is not counted" in taken(service, [click(page)])[2][0]
    assert len(service.backend.events) == logged


def test_a_query_may_be_empty_strange_or_long(service):
    assert service.search("")["decision"]["strategies"]
    for query in ("\0", "halo\0halo", "\u202e\u200f", "🎮" * 500, "a" * 2048, "'; DROP TABLE", "\\", '"', "AND OR NOT ( :", "halo~9^9"):
        page = service.search(query)
        assert service.backend.events[-1].query.text == query[:512]
        assert page["search_id"]
    assert service.post("/search", {"query": "a" * 2049}).status_code == 422
