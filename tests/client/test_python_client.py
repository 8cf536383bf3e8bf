"""The Python client against a running service."""

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving.client.python import ForageClient
from serving.client.sending import ROOM
from serving.client.wire import Refused, Unreachable
from tests.client.conftest import API_TOKEN, serving


@pytest.fixture
def client(service):
    with ForageClient(service.url) as one:
        yield one


def test_a_search_and_what_was_done_with_it_count(service, client, within):
    page = client.search("halo", client_id="u-1", k=4)
    assert [hit.position for hit in page.results] == [1, 2, 3, 4]
    assert any("halo" in hit.title for hit in page.results)
    assert all(hit.sources for hit in page.results)
    chosen = page.results[2].entity_id
    assert client.record(page, "click", chosen)
    assert client.record(page, "add_to_cart", chosen, basket="7")
    assert client.flush()
    counted = within(lambda: (one := service.counted("halo", chosen)) and sum(one.acted) == 2 and one)
    assert counted.evidence.clients == 1


def test_what_a_person_chose_goes_along_with_the_next_search(service, client):
    page = client.search("halo", client_id="u-2")
    first, second = (hit.entity_id for hit in page.results[:2])
    for entity, kind in ((first, "click"), (second, "play"), (first, "purchase"), (page.results[2].entity_id, "viewed")):
        client.record(page, kind, entity)
    client.search("war", client_id="u-2")
    client.search("war", client_id="u-3")
    requests = {kept.request.client_id: kept.request for kept in reversed(service.site.kept.latest(2))}
    assert list(requests["u-2"].recent) == [second, first] == client.recent("u-2")
    assert list(requests["u-3"].recent) == []


def test_turning_pages_repeats_the_search(client):
    first = client.search("halo", client_id="u-4", k=3)
    second = client.search("halo", client_id="u-4", k=3, after=first)
    assert second.search_id == first.search_id
    assert [hit.position for hit in second.results] == [4, 5, 6]
    assert not {hit.entity_id for hit in first.results} & {hit.entity_id for hit in second.results}


def test_what_the_service_refuses_is_said_with_the_problem(client, caplog):
    with pytest.raises(Refused, match="k: ") as refused:
        client.search("halo", k=1_000)
    assert (refused.value.status, refused.value.code) == (422, "invalid")
    page = client.search("halo", client_id="u-5")
    client.record(page, "admire", page.results[0].entity_id)
    client.flush()
    assert "an event was refused and is dropped: kind: " in caplog.text


def test_an_engine_of_ones_own_decides_and_ranks(service, client, within):
    decided = client.decide("halo", client_id="u-6", available=["lexical", "popular"])
    asked = {arm["name"] for arm in decided["decision"]["arms"] if arm["asked"]}
    lists = {name: [("g1", 2.0), ("g0", 1.0)] for name in asked}
    page = client.rank("halo", decided, lists, client_id="u-6", record=True)
    assert {hit.entity_id for hit in page.results} == {"g0", "g1"}
    assert page.answer["recorded"]
    client.record(page, "click", "g1")
    assert client.flush()
    within(lambda: (one := service.counted("halo", "g1")) and sum(one.acted))


def test_pages_of_another_engine_are_told_as_they_are(service, client, within):
    page = {"search_id": "other-1", "client_id": "u-7", "query": {"text": "racing"}, "results": [{"entity_id": "g6", "position": 1}]}
    assert client.impression(page)
    assert client.action({"search_id": "other-1", "kind": "click", "entity_id": "g6"})
    assert client.flush()
    within(lambda: (one := service.counted("racing", "g6")) and sum(one.acted) == 1 and sum(one.shown) == 1)


@pytest.mark.parametrize("scopes", ["search,events", "search"])  # the second: an app on people's devices
def test_an_api_token_vouches_for_what_its_holder_tells_or_each_search_does(tmp_path, within, scopes, caplog):
    with serving(tmp_path, tokens=scopes) as service, ForageClient(service.url, token=API_TOKEN) as client:
        pages = [client.search("halo", client_id=f"u-{n}") for n in range(5)]
        for page in pages:  # of many people at once
            client.record(page, "click", page.results[0].entity_id)
            client.record(page, "like", page.results[0].entity_id)
        assert client.flush()
        within(lambda: sum(sum(one.acted) for n in range(12) if (one := service.counted("halo", f"g{n}"))) == 10)
        assert client.impression({"search_id": "other", "query": {"text": "x"}, "results": []})
        assert client.flush()
        assert ("needs an API token with the scope events" in caplog.text) == (scopes == "search")
        with ForageClient(service.url) as stranger, pytest.raises(Refused, match="401 unauthorized"):
            stranger.search("halo")


def test_a_service_that_is_away_is_an_error_for_a_search_and_none_for_what_is_told(service):
    client = ForageClient("http://127.0.0.1:1", timeout=0.5)
    with pytest.raises(Unreachable, match="is the service running"):
        client.search("halo")
    assert client.impression({"search_id": "s", "query": {"text": "x"}, "results": []})
    assert client.close(timeout=0.1) == 1
    assert not client.impression({"search_id": "s"})


def test_there_is_an_end_to_what_waits():
    client = ForageClient("http://127.0.0.1:1", timeout=0.5)
    assert all(client.action({"search_id": "s", "kind": "click", "entity_id": "e"}) for _ in range(ROOM))
    assert not client.action({"search_id": "s", "kind": "click", "entity_id": "e"})
    assert client.close(timeout=0.1) == ROOM


class Flaky(BaseHTTPRequestHandler):
    """Answers 503, hangs up in the middle, then takes; every body is kept."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes] = []

    def do_POST(self):
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        if len(self.bodies) == 2:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        status, body = (503, b'{"error":{"code":"busy","message":"later"}}') if len(self.bodies) == 1 else (200, b'{"refused":[]}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *given):
        pass


def test_what_may_not_have_arrived_is_told_again_with_the_same_bytes():
    Flaky.bodies = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Flaky) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with ForageClient(f"http://127.0.0.1:{server.server_port}") as client:
                client.action({"search_id": "s", "kind": "click", "entity_id": "e"})
                assert client.flush()
        finally:
            server.shutdown()
            thread.join()
    assert len(Flaky.bodies) >= 3
    assert len(set(Flaky.bodies)) == 1


def test_a_program_that_just_ends_has_told_what_it_recorded(service, within):
    code = (
        "import sys; from serving.client.python import ForageClient; forage = ForageClient(sys.argv[1]);"
        "page = forage.search('gears', client_id='u-9'); forage.record(page, 'click', page.results[0].entity_id)"
    )
    subprocess.run([sys.executable, "-c", code, service.url], check=True)
    within(lambda: any(sum(one.acted) for n in range(12) if (one := service.counted("gears", f"g{n}"))))


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"write http://127\.0\.0\.1:8080"):
        ForageClient("localhost:8080")


def test_the_standard_library_is_enough():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('pydantic', 'numpy', 'schemas', 'httpx', 'learners', 'retrievers')));"
        "import serving.client.python"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
