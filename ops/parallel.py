"""Independent tasks in as many processes as asked. What comes back is the same for any number of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spread(tasks: Sequence[T], prepare: Callable[[], Callable[[T], R]], *, jobs: int, progress: Callable[[int, int], None]) -> list[R]:
    """The result of each task, in the order of the tasks. `prepare` runs once in each process and gives what does a task there: it holds
    what all tasks share. It, the tasks and their results must pickle."""
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn"), initializer=_begin, initargs=(prepare,)) as pool:
        waiting = [pool.submit(_do, task) for task in tasks]
        for done, _ in enumerate(as_completed(waiting), 1):
            progress(done, len(tasks))
        return [one.result() for one in waiting]


_DOES: list[Callable[[Any], Any]] = []  # of this process, set once when it starts


def _begin(prepare: Callable[[], Callable[[Any], Any]]) -> None:
    _DOES.append(prepare())


def _do(task: Any) -> Any:
    return _DOES[0](task)
