"""A site as a process: bound to an address, answering until somebody ends it."""

import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from schemas.errors import Unavailable
from serving.console.frame import pages
from serving.http.app import create_app
from serving.site import Site

KEEP = 75  # s that an idle connection stays open: balancers close theirs after 60
GRACE = 1  # s that open requests may take once somebody wants the end
BACKLOG = 512
SWITCH = 0.001  # s until a busy thread lets others run; with Python's own 0.005 a search beside a busy learner takes half as long again
# Objects until Python looks for garbage in cycles among the young, the middle, the old. The old are a catalogue, a memory and the last
# searches: to look through a million of them stops every thread for a second (measured), and what we throw away is hardly ever a cycle.
COLLECT = (10_000, 10, 1_000_000)


class Server:
    """A site behind a socket that is bound already, so that its address is known and an address in use is refused at once.

    Port 0 takes a free one. Raises Unavailable.
    """

    def __init__(self, site: Site, *, host: str, port: int) -> None:
        self._socket = bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            create_app(site, console=pages(site)), log_config=None, log_level="warning", access_log=False, server_header=False,
            lifespan="off", timeout_graceful_shutdown=GRACE, timeout_keep_alive=KEEP, backlog=BACKLOG,
        )  # fmt: skip
        self._server = _Quiet(config)

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{shown}:{self.port}/"

    def run(self) -> None:
        """Answer until `end`. In the main thread, Ctrl-C and SIGTERM end it too."""
        before = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(SWITCH)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        try:
            self._server.run(sockets=[self._socket])
        finally:  # whoever runs a server inside a process of its own gets that as it was
            sys.setswitchinterval(before[0])
            gc.set_threshold(*before[1])
            gc.unfreeze()  # else DuckDB, at the end of the process, lists a hundred lines of what was never let go

    def end(self) -> None:
        """Take no more requests; those that are under way have a second."""
        self._server.should_exit = True

    @property
    def answers(self) -> bool:
        """Whether it has begun."""
        return self._server.started


class _Quiet(uvicorn.Server):
    """Without uvicorn's own handling of signals, which raises them again after the end: then nothing behind it would be closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `end`; a second one of either does what it always does."""
    before: dict[int, Any] = {}

    def once(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        end()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, once)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address. Raises Unavailable."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        one = socket.socket(family, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        one.listen(BACKLOG)  # who is told the address finds somebody there: the first calls wait instead of being refused
    except OSError as error:
        raise Unavailable(f"cannot serve at {host}:{port} ({error.strerror or error}); give --port another one, 0 takes any") from None
    one.set_inheritable(True)
    return one
