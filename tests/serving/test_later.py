"""Work that is put off runs, every piece of it, also when the server stops; and whoever puts it off never waits."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, get_ident
from time import monotonic, perf_counter

import pytest

from schemas.errors import InvalidSetting, Unavailable
from serving.asking import Together
from serving.breakers import Breakers
from serving.later import Later
from serving.pipeline import Pipeline
from tests.retrievers.shop import request
from tests.serving.gates import LONG, Gated, Panic
from tests.serving.kitchen import Kitchen, policy


def test_every_task_runs_once_on_another_thread_also_at_close() -> None:
    ran: list[tuple[int, int]] = []
    gate = Event()
    later = Later(2, 1000)

    def put(number: int) -> None:
        def task() -> None:
            assert gate.wait(LONG)
            ran.append((number, get_ident()))

        later(task)

    with ThreadPoolExecutor(4) as callers:
        list(callers.map(put, range(400)))
    assert ran == [], "nobody waited"
    gate.set()
    later.close()
    assert sorted(number for number, _ in ran) == list(range(400))
    assert get_ident() not in {thread for _, thread in ran}
    later.close()


def test_without_room_or_after_closing_a_task_is_refused_and_not_run() -> None:
    gate, began, ran = Event(), Event(), list[str]()

    def hold() -> None:
        began.set()
        assert gate.wait(LONG)
        ran.append("held")

    later = Later(1, 2)
    later(hold)
    assert began.wait(LONG)
    later(lambda: ran.append("one"))
    later(lambda: ran.append("two"))
    with pytest.raises(Unavailable, match="2 tasks wait; do it now"):
        later(lambda: ran.append("refused"))
    gate.set()
    later.close()
    with pytest.raises(Unavailable, match="no more work is taken after closing"):
        later(lambda: ran.append("refused"))
    assert ran == ["held", "one", "two"]


def test_a_task_that_fails_leaves_its_thread_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def fail(error: BaseException) -> None:
        raise error

    later = Later(1, 10)
    for number, error in enumerate((OSError("the disk is gone"), SystemExit(3), Panic("index out of bounds"))):
        later(lambda error=error: fail(error))  # type: ignore[misc]
        later(lambda number=number: ran.append(number))  # type: ignore[misc]
    later.close()
    assert ran == [0, 1, 2]
    assert [record.message for record in caplog.records] == ["work that was put off failed"] * 3


@pytest.mark.parametrize(("threads", "room"), [(0, 1), (1, 0)])
def test_threads_and_room_are_needed(threads: int, room: int) -> None:
    with pytest.raises(InvalidSetting, match="use at least 1 of each"):
        Later(threads, room)


def test_impressions_of_many_searches_all_go_out_and_no_answer_waits_for_a_shadow() -> None:
    """Real threads at every place: searches, strategies, shadows. The shadow's strategy stands still until all are answered."""
    kitchen = Kitchen(policy(["lexical", "popular"], p=0.98))
    slow = Gated(kitchen.view.retrievers["memory"])  # the policy does not know it: it is only asked in the shadow
    kitchen.view.retrievers["memory"] = slow  # type: ignore[index]
    later, asker = Later(2, 40), Together(8, 1_000 * LONG, breakers=Breakers(monotonic))
    serve = Pipeline(lambda: kitchen.view, lambda one, ts: kitchen.emitted.append((one, ts)), clock=perf_counter, later=later, asker=asker)
    with ThreadPoolExecutor(4) as people:
        pages = list(people.map(lambda n: serve.search(request("halo", search_id=f"s-{n}")), range(300)))
    held = [page for page in pages if page.impression.decision and any(one.name == "memory" for one in page.impression.decision.shadow)]
    assert len(held) > 3
    assert all(page.impression.results for page in pages)
    assert len(kitchen.emitted) < 300, "those that ask the one that stands still are not logged yet"
    slow.gate.set()
    later.close()
    asker.close()
    assert sorted(one.search_id for one, _ in kitchen.emitted) == sorted(f"s-{n}" for n in range(300))
