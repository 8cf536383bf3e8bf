"""What is too large, too slow, too often or of another form is refused at once, in the one shape, and costs nobody else anything."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.http.answers import Stop
from serving.http.app import create_app
from serving.http.bodies import Bodies
from serving.http.limiting import MOST_CLIENTS, Buckets, Workers, of_address
from serving.site import Limits
from tests.serving.http_shop import GRANTS, Shop, shop

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 422, "body: is missing"),
        (b"  ", 400, "body: is empty"),
        (b"{", 400, "is cut off"),
        (b'{"query": "halo"} x', 400, "goes on after its end"),
        (b'{"query": "\xff"}', 400, "is not UTF-8 at byte 11"),
        ('{"query": "halo"}'.encode("utf-16"), 400, "is not UTF-8"),
        (b'\xef\xbb\xbf{"query": "halo"}', 400, "byte order mark"),
        (b'{"query": "\\ud800"}', 400, "half a character"),
        (b'{"query": "a\nb"}', 400, "control character"),
        (b'{"query": "halo", "k": NaN}', 400, "is not JSON"),
        (b'{"query": "halo", "profile": {"x": NaN}}', 400, "is not JSON"),
        (b'{"query": "halo", "profile": {"x": Infinity}}', 400, "is not JSON"),
        (b'{"query": "halo", "profile": {"x": 1e999}}', 422, "profile.x"),
        (b'{"query": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "nested too deeply"),
        (b'{"query": "halo", "k": ' + b"9" * 5_000 + b"}", 400, "thousands of digits"),
        (b'{"query": "halo", "k": ' + b"9" * 500 + b"}", 422, "k: must be at most 100"),
        (b"[]", 422, "must be an object"),
        (b"null", 422, "body: "),
        (b'"halo"', 422, "must be an object"),
        (b"{}", 422, "query: is missing"),
        (b'{"query": 5}', 422, "query: must be text"),
        (b'{"query": "halo", "qeury": "halo"}', 422, "qeury: is no field"),
        (b'{"query": "halo", "k": 0}', 422, "k: must be at least 1"),
        (b'{"query": "halo", "k": 1.5}', 422, "k: must be a whole number"),
        (b'{"query": "halo", "k": "5"}', 422, "k: must be a whole number"),
        (b'{"query": "halo", "k": true}', 422, "k: must be a whole number"),
        (b'{"query": "halo", "page": 1001}', 422, "page: must be at most 1000"),
        (b'{"query": "halo", "surface": "A B"}', 422, "surface: must match"),
        (b'{"query": "halo", "recent": [""]}', 422, "recent[0]: must have at least 1"),
        (b'{"query": "halo", "client_id": ""}', 422, "client_id: must have at least 1"),
        (b'{"query": "halo", "context": {"hour_of_week": 168}}', 422, "context.hour_of_week: must be at most 167"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_the_field_and_the_remedy(service, body, status, said):
    answer = service.call("POST", "/search", content=body, headers=JSON)
    assert answer.status_code == status
    problems = answer.json()["error"]["problems"]
    assert said in problems[0]
    assert ";" in problems[0], "a refusal names the remedy"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200), ("Application/JSON; charset=UTF-8", 200), ('application/json; charset="utf-8"', 200),
        ("application/json; charset=latin-1", 415), ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415), ("", 415), ("json", 415), ("application/json, text/plain", 415), ("\xff", 415),
    ],
)  # fmt: skip
def test_a_body_is_json_and_says_so(service, kind, status):
    answer = service.call("POST", "/search", content=b'{"query": "halo"}', headers={"content-type": kind.encode("latin-1")})
    assert answer.status_code == status


def test_only_events_may_come_as_the_text_that_a_beacon_sends(service):
    body = b'{"events": [{"type": "tick"}]}'
    for kind in ("text/plain", "text/plain;charset=UTF-8", "application/json"):
        assert service.call("POST", "/events", content=body, headers={"content-type": kind}).status_code == 200
    assert service.call("POST", "/events", content=body, headers={"content-type": "text/html"}).status_code == 415


def test_three_point_zero_is_a_whole_number(service):
    assert len(service.call("POST", "/search", content=b'{"query": "halo", "k": 3.0}', headers=JSON).json()["results"]) == 3


def test_every_refusal_is_counted_by_its_code(service):
    before = dict(service.site.live.read(60).refused)
    service.get("/nowhere")
    service.call("PUT", "/search")
    service.call("POST", "/search", content=b"{", headers=JSON)
    service.call("POST", "/search", content=b"{}", headers={"content-type": "text/html"})
    service.call("POST", "/search", content=b"{}", headers=JSON)
    service.call("POST", "/search", content=b"x" * 1_000_001, headers=JSON)
    service.post("/search", {"query": "halo", "search_id": "s", "token": "t"})
    service.get("/explain?search_id=nothing")
    service.get("/policy", headers={"host": "evil.example"})
    after = service.site.live.read(60).refused
    assert {code: count - before.get(code, 0) for code, count in after.items() if count > before.get(code, 0)} == {
        "not_found": 2, "method_not_allowed": 1, "no_json": 1, "not_json_type": 1, "invalid": 1, "too_large": 1, "not_allowed": 1,
        "wrong_host": 1,
    }  # fmt: skip


def test_what_is_not_there_and_what_cannot_be_done_there_is_said(service):
    assert service.get("/serach").json()["error"]["message"].endswith("GET /openapi.json lists what is there")
    for method, path in (("GET", "/search"), ("DELETE", "/events"), ("POST", "/healthz"), ("PUT", "/policy"), ("TRACE", "/memory")):
        assert service.call(method, path).status_code == 405
    assert service.call("PUT", "/snapshots").headers["allow"] == "GET, POST"
    assert service.call("GET", "/search").headers["allow"] == "POST"
    for path in ("/search/", "/Search", "//search", "/search%00", "/%ff", "/..%2f..%2fetc/passwd", "/client/../http/app.py"):
        assert service.get(path).status_code == 404


def test_parameters_of_an_address_are_checked_like_fields(service):
    for path, said in (
        ("/memory", "query: is missing"), (f"/memory?query={'x' * 2049}", "query: must have at most 2048"),
        ("/memory?query=x&surface=A", "surface: must match"), ("/explain?search_id=", "search_id: must have at least 1"),
        ("/explain?search_id=x&page=two", "page: "), ("/explain?search_id=x&page=0", "page: must be at least 1"),
    ):  # fmt: skip
        answer = service.get(path)
        assert answer.status_code == 422
        assert said in answer.json()["error"]["problems"][0]


def sent(app: object, messages: list[dict], headers: list[tuple[bytes, bytes]] | None = None, pause: float = 0.0) -> list[dict]:
    """What an app answers to a body in these pieces; `pause` seconds before each but the first."""
    out: list[dict] = []

    async def receive() -> dict:
        if len(left) < len(messages):
            await asyncio.sleep(pause)
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        out.append(message)

    left = list(messages)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers or []}
    asyncio.run(app(scope, receive, send))  # type: ignore[operator]
    return out


async def echo(scope, receive, send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def pieces(*bodies: bytes) -> list[dict]:
    return [{"type": "http.request", "body": body, "more_body": at < len(bodies) - 1} for at, body in enumerate(bodies)]


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8))
def test_a_body_arrives_whole_however_it_is_cut_or_not_at_all(bodies):
    whole = b"".join(bodies)
    out = sent(Bodies(echo, most=100, seconds=5.0, refused=print), pieces(*bodies))
    if len(whole) <= 100:
        assert out[1]["body"] == whole
    else:
        assert out[0]["status"] == 413
        assert b"at most 100 bytes" in out[1]["body"]


@pytest.mark.parametrize(("length", "status"), [(b"100", 200), (b"101", 413), (b"1" * 5_000, 413), (b"-1", 413), (b"ten", 413)])
def test_a_body_that_is_announced_too_large_is_not_read(length, status):
    out = sent(Bodies(echo, most=100, seconds=5.0, refused=print), pieces(b"x"), [(b"content-length", length)])
    assert out[0]["status"] == status
    assert ((b"connection", b"close") in out[0]["headers"]) == (status == 413)


def test_a_body_that_drips_is_refused_and_one_whose_sender_left_is_not_answered():
    out = sent(Bodies(echo, most=100, seconds=0.05, refused=print), pieces(*[b"x"] * 50), pause=0.02)
    assert out[0]["status"] == 408
    assert sent(Bodies(echo, most=100, seconds=5.0, refused=print), [{"type": "http.request", "body": b"x", "more_body": True}]) == []


def test_a_bucket_holds_two_seconds_and_fills_at_its_rate():
    now = [0.0]
    buckets = Buckets(lambda: now[0])
    assert [buckets.take("a", 5.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", 5.0) == pytest.approx(0.2)
    assert buckets.take("b", 5.0) == 0.0, "everybody has a bucket of his own"
    assert all(buckets.take("c", 0.0) == 0.0 for _ in range(1_000)), "0 is no limit"
    now[0] = 0.2
    assert buckets.take("a", 5.0) == 0.0
    assert buckets.take("a", 5.0) == pytest.approx(0.2)
    now[0] = 1_000.0
    assert [buckets.take("a", 5.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", 5.0) > 0.0


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200), st.floats(1.0, 50.0))
def test_nobody_ever_gets_more_than_the_rate_and_one_burst(pauses, rate):
    now = [0.0]
    buckets, taken = Buckets(lambda: now[0]), 0
    for pause in pauses:
        now[0] += pause
        taken += buckets.take("a", rate) == 0.0
    assert taken <= rate * now[0] + 2.0 * rate + 1e-6


def test_buckets_are_bounded():
    buckets = Buckets(lambda: 0.0)
    for number in range(MOST_CLIENTS + 10):
        buckets.take(str(number), 1.0)
    assert len(buckets._left) == MOST_CLIENTS


def test_a_network_of_ipv6_is_one_client():
    assert of_address("2001:db8:1:2::3") == of_address("2001:db8:1:2:ffff::1") != of_address("2001:db8:1:3::3")
    assert of_address("10.0.0.1") != of_address("10.0.0.2")
    assert of_address("unix") == "unix"


def test_who_asks_too_often_waits_and_others_do_not(tmp_path):
    now = [0.0]
    with shop(tmp_path, grants=GRANTS, limits=Limits(rate=2.0, token_rate=5.0)) as service:
        service.app = create_app(service.site, monotonic=lambda: now[0])
        assert [service.post("/search", {"query": "halo"}, token="page").status_code for _ in range(11)] == [200] * 10 + [429]
        answer = service.post("/search", {"query": "halo"}, token="page")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert service.post("/search", {"query": "halo"}, token="app").status_code == 200
        assert all(service.get("/healthz").status_code == 200 for _ in range(20))
        assert service.site.live.read(5).refused["too_many"] == 2
        now[0] = 0.2
        assert service.post("/search", {"query": "halo"}, token="page").status_code == 200
        assert [service.post("/events", {"events": [{}]}).status_code for _ in range(5)] == [200] * 4 + [429], "without a token, by address"


def test_workers_take_what_they_have_room_for_and_recover():
    gate, workers = threading.Event(), Workers(2, 3)

    async def crowd() -> list[object]:
        asked = [asyncio.create_task(workers.run(gate.wait)) for _ in range(12)]
        await asyncio.sleep(0)
        while sum(one.done() for one in asked) < 7:
            await asyncio.sleep(0.001)
        gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(crowd())
    assert sum(one is True for one in answers) == 5
    refused = [one for one in answers if isinstance(one, Stop)]
    assert len(refused) == 7
    assert {(one.status_code, one.headers["Retry-After"]) for one in refused if one.headers} == {(503, "1")}
    assert asyncio.run(workers.run(lambda: 5)) == 5
    workers.close()


def test_a_caller_who_leaves_gives_his_room_back_when_the_work_is_done():
    gate, workers = threading.Event(), Workers(1, 0)

    async def leave() -> None:
        asked = asyncio.create_task(workers.run(gate.wait))
        await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(Stop):
            await workers.run(lambda: 5)
        gate.set()
        while workers._inside:
            await asyncio.sleep(0.001)
        assert await workers.run(lambda: 5) == 5

    asyncio.run(leave())
    workers.close()
