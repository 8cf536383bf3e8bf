"""Work that is left when the page is answered, on a few threads and with bounded room."""

import logging
from collections.abc import Callable
from queue import Full, Queue
from threading import Lock, Thread

from schemas.errors import InvalidSetting, Unavailable

_LOG = logging.getLogger(__name__)
Task = Callable[[], None]


class Later:
    """Runs every task that it took, on one of `threads` threads, also when it is closed. At most `room` tasks wait."""

    def __init__(self, threads: int, room: int) -> None:
        if threads < 1 or room < 1:
            raise InvalidSetting(f"{threads} threads and room for {room} tasks to work later; use at least 1 of each")
        self._tasks: Queue[Task | None] = Queue(room)
        self._closed, self._lock = False, Lock()
        self._threads = [Thread(target=self._work, name=f"later-{number}", daemon=True) for number in range(threads)]
        for one in self._threads:
            one.start()

    def __call__(self, task: Task) -> None:
        """Take a task. Never waits. Raises Unavailable when there is no room, or no more is taken."""
        with self._lock:
            if self._closed:
                raise Unavailable("no more work is taken after closing; do it now")
            try:
                self._tasks.put_nowait(task)
            except Full:
                raise Unavailable(f"{self._tasks.maxsize} tasks wait; do it now, or give this more threads") from None

    def close(self) -> None:
        """Take no more, and return when every task has run."""
        with self._lock:
            closed, self._closed = self._closed, True
        for _ in self._threads if not closed else ():
            self._tasks.put(None)
        for one in self._threads:
            one.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except BaseException:  # also SystemExit: the tasks behind it have a right to this thread
                _LOG.exception("work that was put off failed")
