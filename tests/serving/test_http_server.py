"""The API behind a real server on loopback: what only a wire shows."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from schemas.candidates import Candidate
from serving.site import Limits
from tests.serving.http_shop import Shop, click, shop, strategies

LIMITS = Limits(rate=0.0, threads=1, waiting=1, slow=1.0, body=20_000)


class Gate:
    """A strategy that waits until somebody opens."""

    name = "popular"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()

    def retrieve(self, request: object, depth: int) -> list[Candidate]:
        assert self.open.wait(20.0)
        return []


GATE = Gate()


class Running:
    """A service behind a socket."""

    def __init__(self, service: Shop, port: int, server: uvicorn.Server) -> None:
        self.service, self.port, self.server = service, port, server
        self.url = f"http://127.0.0.1:{port}"

    def wait_for_searches(self, count: int) -> None:
        """Until so many searches are under way or wait for a thread."""
        ends = time.monotonic() + 10.0
        while self.service.app.state.workers._inside < count:
            assert time.monotonic() < ends
            time.sleep(0.001)

    def raw(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """What comes back for these bytes, sent with pauses, until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10.0) as wire:
            for piece in pieces:
                try:
                    wire.sendall(piece)
                except OSError:
                    break  # it has answered and gone
                time.sleep(pause)
            out = b""
            try:
                while got := wire.recv(65_536):
                    out += got
            except ConnectionResetError:
                pass
            return out


@contextmanager
def running(folder) -> Iterator[Running]:
    with shop(folder, limits=LIMITS, makers=lambda *parts: strategies(*parts) | {"popular": GATE}) as service:
        wire = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(service.app, log_config=None, timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [wire]})
        thread.start()
        try:
            yield Running(service, wire.getsockname()[1], server)
        finally:
            GATE.open.set()
            server.should_exit = True
            thread.join()
            wire.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("live")) as made:
        yield made


HEAD = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_chunked_body_is_counted_as_it_comes(live):
    small = live.raw(HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(b'{"query": '), chunk(b'"halo"}'), chunk(b""))
    assert small.startswith(b"HTTP/1.1 200")
    large = live.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk(b"x" * 4_000)] * 10)
    assert large.startswith(b"HTTP/1.1 413")
    assert b"at most 20000 bytes" in large


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(live):
    began = time.monotonic()
    assert live.raw(HEAD + b"Content-Length: 10000000000\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert time.monotonic() - began < 5.0


def test_a_sender_who_drips_is_hung_up_on(live):
    answer = live.raw(HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 8, pause=0.2)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()


def test_who_hangs_up_early_harms_nobody(live):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", live.port)) as wire:
            wire.sendall(HEAD + b"Content-Length: 16\r\n\r\n" + b'{"query": "halo"}'[:5])
        with socket.create_connection(("127.0.0.1", live.port)) as wire:
            wire.sendall(HEAD + b"Content-Length: 17\r\n\r\n" + b'{"query": "halo"}')
    assert httpx.get(f"{live.url}/healthz").status_code == 200


def test_under_overload_health_and_events_answer_searches_are_refused_and_all_recovers(live):
    with httpx.Client(base_url=live.url, timeout=10.0) as client, ThreadPoolExecutor(4) as people:
        page = client.post("/search", json={"query": "halo"}).json()
        GATE.open.clear()
        asked = [people.submit(client.post, "/search", json={"query": "halo"}) for _ in range(2)]
        live.wait_for_searches(2)
        full = client.post("/search", json={"query": "halo"})
        assert full.status_code == 503
        assert full.json()["error"]["code"] == "busy"
        assert full.headers["retry-after"] == "1"
        began = time.monotonic()
        assert client.get("/healthz").status_code == 200
        assert client.post("/events", json={"events": [click(page)]}).json()["accepted"] == 1
        assert time.monotonic() - began < 2.0
        GATE.open.set()
        assert [one.result().status_code for one in asked] == [200, 200]
        assert client.post("/search", json={"query": "halo"}).status_code == 200


def test_many_at_once_get_a_search_of_their_own(live):
    before = len(live.service.backend.events)

    def one(number: int) -> list[str]:
        with httpx.Client(base_url=live.url) as client:
            answers = [client.post("/search", json={"query": f"halo {number}"}) for _ in range(15)]
        return [answer.json()["search_id"] for answer in answers if answer.status_code == 200]

    with ThreadPoolExecutor(2) as people:
        ids = [search_id for found in people.map(one, range(2)) for search_id in found]
    assert len(set(ids)) == len(ids) == 30
    assert {event.search_id for event in live.service.backend.events[before:]} == set(ids)


def test_a_search_that_was_begun_is_answered_when_the_server_ends(tmp_path):
    with running(tmp_path) as live, ThreadPoolExecutor(1) as person:
        GATE.open.clear()
        asked = person.submit(httpx.post, f"{live.url}/search", json={"query": "halo"}, timeout=10.0)
        live.wait_for_searches(1)
        live.server.should_exit = True
        GATE.open.set()
        assert asked.result().status_code == 200
    assert len(live.service.backend.events) == 1
