"""Who may do what: scopes of API tokens, names and pages that an open server listens to, the console's cookie, pages of other sites."""

from collections.abc import Iterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from schemas.errors import NotAllowed
from serving.access import COOKIE, set_cookie
from serving.http.app import create_app
from serving.site import Limits
from tests.serving.http_shop import GRANTS, TOKENS, Shop, shop

CONSOLE = [Route(path, lambda request: PlainTextResponse("page"), methods=["GET", "POST"]) for path in (
    "/", "/console/today", "/console/versions", "/console/try", "/console/sign-in", "/console/static/app.js", "/consolex",
)]  # fmt: skip
SEARCH = {"query": "halo"}
NEEDS = [
    ("POST", "/search", SEARCH, "search"),
    ("POST", "/decide", SEARCH, "search"),
    ("POST", "/rank", {}, "search"),
    ("POST", "/snapshots", {"action": "pin"}, "operate"),
    ("POST", "/demo/speed", {"speed": 1}, "operate"),
    ("GET", "/explain?search_id=x", None, "read"),
    ("GET", "/policy", None, "read"),
    ("GET", "/memory?query=halo", None, "read"),
    ("GET", "/snapshots", None, "read"),
    ("GET", "/metrics", None, "read"),
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[Shop]:
    limits = Limits(rate=0.0, origins=("https://shop.example",))
    with shop(tmp_path_factory.mktemp("closed"), grants=GRANTS, limits=limits) as made:
        made.app = create_app(made.site, console=CONSOLE)
        yield made


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop"), limits=Limits(rate=0.0, origins=("https://shop.example",))) as made:
        made.app = create_app(made.site, console=CONSOLE)
        yield made


@pytest.mark.parametrize(("method", "path", "body", "scope"), NEEDS, ids=[one[1] for one in NEEDS])
def test_each_route_asks_for_its_scope_before_it_looks_at_anything_else(closed, method, path, body, scope):
    sent = {} if body is None else {"json": body}
    nobody = closed.call(method, path, **sent)
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
    assert f"the scope {scope}" in nobody.json()["error"]["message"]
    assert closed.call(method, path, token="unknown", **sent).status_code == 401
    for name, scopes in TOKENS.items():
        status = closed.call(method, path, token=name, **sent).status_code
        assert (status == 403) == (scope not in scopes), (name, status)
    if body is not None:
        garbage = closed.call(method, path, content=b"{", headers={"content-type": "text/html"})
        assert garbage.status_code == 401


def test_what_needs_no_token(closed):
    for path in ("/healthz", "/readyz", "/openapi.json", "/console/sign-in", "/console/static/app.js"):
        assert closed.get(path).status_code == 200
    assert closed.post("/events", {"events": [{}]}).status_code == 200


def test_recording_a_ranking_needs_the_scope_events(closed):
    decided = closed.post("/decide", SEARCH, token="page").json()
    ranking = {**SEARCH, "search_id": decided["search_id"], "decision": decided["decision"], "lists": {}}
    plain = closed.post("/rank", ranking, token="page")
    assert (plain.status_code, plain.json()["token"]) == (200, ""), "a token for whatever search was named would let anybody forge clicks"
    assert closed.post("/rank", {**ranking, "record": True}, token="page").status_code == 403
    assert closed.post("/rank", {**ranking, "record": True}, token="app").json()["token"]


def test_a_token_is_a_bearer_in_the_header_and_nowhere_else(closed):
    assert closed.get("/policy", headers={"authorization": "Basic Ym9zczo="}).status_code == 401
    assert closed.get("/policy?token=boss").status_code == 401
    assert closed.get("/policy", headers={"authorization": "Bearer"}).status_code == 401
    assert closed.get("/policy", headers={"authorization": b"Bearer \xff\xfe"}).status_code == 401


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost", True), ("localhost:8080", True), ("127.0.0.1:8080", True), ("[::1]:8080", True), ("LOCALHOST", True),
        ("evil.example", False), ("evil.example:8080", False), ("127.0.0.1.evil.example", False), ("localhost.evil.example", False),
        ("", False), ("[::1", False), ("[::1]evil", False), ("localhost:x", False), ("192.168.0.5", False),
    ],
)  # fmt: skip
def test_an_open_server_answers_under_its_own_names_only(service, host, answered):
    answer = service.get("/policy", headers={"host": host})
    assert answer.status_code == (200 if answered else 403)
    if not answered:
        assert answer.json()["error"]["code"] == "wrong_host"


def test_a_server_with_tokens_may_have_any_name(closed):
    assert closed.get("/policy", token="boss", headers={"host": "search.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "path", "status"),
    [
        ("http://localhost", "/search", 200), ("https://shop.example", "/search", 200), ("https://shop.example", "/snapshots", 403),
        ("https://evil.example", "/search", 403), ("null", "/search", 403), ("http://localhost.evil.example", "/search", 403),
        ("http://localhost:9999", "/search", 403), ("https://evil.example", "/console/versions", 403), ("", "/search", 403),
    ],
)  # fmt: skip
def test_pages_of_other_sites_change_nothing(service, origin, path, status):
    body = SEARCH if path == "/search" else {"action": "unpin"}
    assert service.post(path, body, headers={"origin": origin}).status_code == status


def test_pages_of_named_sites_may_search_and_read_the_answer(service, closed):
    asks = {"origin": "https://shop.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for server in (service, closed):
        allowed = server.call("OPTIONS", "/search", headers=asks)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "https://shop.example")
        assert server.call("OPTIONS", "/search", headers={**asks, "origin": "https://evil.example"}).is_success is False
        assert server.call("OPTIONS", "/snapshots", headers=asks).is_success is False
    read = service.post("/search", SEARCH, headers={"origin": "https://shop.example"})
    assert read.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in read.headers
    assert "access-control-allow-origin" not in service.get("/policy", headers={"origin": "https://shop.example"}).headers
    refused = service.post("/search", {}, headers={"origin": "https://shop.example"})
    assert refused.headers["access-control-allow-origin"] == "https://shop.example", "a page can read why it was refused"


def cookie_of(service: Shop, token: str) -> dict[str, str]:
    return {"cookie": f"theme=dark; {COOKIE}={service.site.access.sign_in(token, service.clock())}"}


def test_the_console_asks_to_sign_in_and_its_cookie_opens_it(closed):
    away = closed.get("/console/today?days=7")
    assert (away.status_code, away.headers["location"]) == (303, "/console/sign-in?next=%2Fconsole%2Ftoday%3Fdays%3D7")
    assert closed.get("/console/today", headers=cookie_of(closed, "reader")).text == "page"
    assert closed.get("/policy", headers=cookie_of(closed, "reader")).status_code == 200
    assert closed.get("/console/today", token="page").status_code == 303
    with pytest.raises(NotAllowed, match="lacks the scope read"):
        cookie_of(closed, "page")
    assert closed.get("/console/today", headers={"cookie": f"{COOKIE}=x"}).status_code == 303


def test_orders_from_the_console_need_the_right_and_a_page_of_ours(closed):
    ours = {"origin": "http://localhost"}
    for name, path, status in (
        ("boss", "/console/versions", 200), ("reader", "/console/versions", 403), ("reader", "/console/try", 403),
        ("boss", "/console/try", 200),
    ):  # fmt: skip
        assert closed.call("POST", path, headers=cookie_of(closed, name) | ours).status_code == status
    for origin in ("https://evil.example", "https://shop.example", "null", "http://localhost:81"):
        assert closed.call("POST", "/console/versions", headers=cookie_of(closed, "boss") | {"origin": origin}).status_code == 403
    assert closed.call("POST", "/console/versions").status_code == 401


def test_a_cookie_is_not_for_scripts_nor_for_other_sites():
    header = set_cookie("abc", secure=True)["Set-Cookie"]
    assert header == f"{COOKIE}=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
    assert "Max-Age=0" in set_cookie("", secure=False)["Set-Cookie"]


def test_the_snippet_is_for_pages_of_any_site(service):
    answer = service.get("/client/forage.js", headers={"origin": "https://elsewhere.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "Forage" in answer.text


def test_every_answer_forbids_what_a_browser_could_be_talked_into(service):
    for answer in (service.get("/healthz"), service.get("/nope"), service.post("/search", {}), service.get("/console/today")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_no_answer_and_no_meter_tells_a_token(closed):
    answer = closed.get("/policy", token="a-secret-token")
    assert "a-secret-token" not in answer.text
    assert "a-secret-token" not in repr(closed.site.live.read(5))
