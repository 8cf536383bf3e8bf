"""What a process says of its last searches, against a plain recount of the same pages."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Action
from serving import meters
from serving.live import DAY, SLOT, Live
from serving.meters import MINUTE
from serving.pipeline import Page
from serving.texts import MOST, Texts
from tests.retrievers.shop import request
from tests.serving.kitchen import NAMES, Broken, Kitchen, policy

BEGIN = 1_700_000_040_000  # a full minute


class Clock:
    now = BEGIN

    def __call__(self) -> int:
        return self.now


def pages(count: int, *, text: str = "halo", kitchen: Kitchen | None = None) -> list[Page]:
    kitchen = kitchen or Kitchen(policy(["lexical", "memory"], p=0.6, always=["popular"]), retrievers={"memory": Broken()})
    return [kitchen.pipeline.search(replace(request(text, search_id=f"s-{n}"), client_id=f"c-{n % 3}")) for n in range(count)]


def test_methods_are_what_a_recount_of_the_pages_gives() -> None:
    live, some = Live(Clock()), pages(60) + pages(20, text="no such thing at all")
    for page in some:
        live.searched(page, ms=5.0, counted=True)
    read = live.read()
    decisions = [page.impression.decision for page in some]
    results = [one for page in some for one in page.impression.results]
    found = [sorted(source.strategy for source in one.sources) for one in results]
    assert read.places == len(results) > 0
    for name in ("lexical", "memory", "popular"):
        ran = [one for made in decisions if made for one in (*made.arms, *made.always) if one.name == name and name in made.asked()]
        one = read.methods[name]
        assert (one.asked, one.returned) == (len(ran), sum(arm.returned for arm in ran))
        assert (one.places, one.only) == (sum(name in of for of in found), sum(of == [name] for of in found))
        assert (one.failed, one.late) == (len(ran) if name == "memory" else 0, 0)
        assert one.always == (80 if name == "popular" else 0)
    assert {name: one.chances.keys() for name, one in read.methods.items()} == {
        "lexical": {"1", "many"}, "memory": {"1", "many"}, "popular": set(),
    }  # fmt: skip
    assert (read.methods["lexical"].chances["1"].count, read.methods["lexical"].chances["many"].count) == (60, 20)
    assert read.methods["lexical"].chances["1"].mean == pytest.approx(0.6)
    assert 0 < read.methods["memory"].asked < 80, "what was not asked has a chance all the same"


def test_the_chance_of_being_asked_has_least_mean_and_most() -> None:
    live = Live(Clock())
    for number, p in enumerate((0.2, 0.5, 0.8, 0.9)):
        (page,) = pages(1, kitchen=Kitchen(policy(p=p, salt=f"salt {number}")))
        live.searched(page, ms=1.0, counted=True)
    for name in NAMES:
        chance = live.read().methods[name].chances["1"]
        assert (chance.count, chance.least, chance.most) == (4, 0.2, 0.9)
        assert chance.mean == pytest.approx(0.6)


def test_a_time_has_what_came_in_it_and_tries_are_in_none() -> None:
    clock = Clock()
    live, (page, empty) = Live(clock), [pages(1)[0], pages(1, kitchen=Kitchen(policy(p=0.02, salt="none")))[0]]
    assert empty.impression.results == []
    live.searched(page, ms=10.0, counted=True)
    clock.now += 2 * MINUTE + 1
    live.searched(empty, ms=20.0, counted=True)
    live.refused("busy")
    clock.now += MINUTE
    live.acted(Action(action_id="a", search_id="s", ts=clock.now, kind="click", entity_id="game:001"))
    live.searched(page, ms=1.0, counted=False)
    read = live.read(60)
    assert (read.searches, read.empty, read.refused, read.actions) == (2, 1, {"busy": 1}, {"click": 1})
    two, last = live.read(2), live.read(1)
    assert (two.searches, two.empty, two.refused) == (1, 1, {"busy": 1})
    assert (last.searches, last.actions, last.ms) == (0, {"click": 1}, None)


def test_what_nobody_asked_yet_is_none_and_not_zero() -> None:
    read = Live(Clock()).read()
    assert (read.searches, read.ms, read.methods, read.newest) == (0, None, {}, [])


def test_further_pages_are_pages_and_no_searches_and_ask_nobody_anew() -> None:
    kitchen, live = Kitchen(policy(p=0.98, salt="all")), Live(Clock())
    asked = request("halo", search_id="s-7", size=3)
    first = kitchen.pipeline.search(asked)
    second = kitchen.pipeline.search(replace(asked, page=2), decision=first.impression.decision)
    beyond = kitchen.pipeline.search(replace(asked, page=900), decision=first.impression.decision)
    for page in (first, second, beyond):
        live.searched(page, ms=1.0, counted=True)
    read = live.read()
    assert (read.searches, read.ms and read.ms.count, read.empty, read.places) == (1, 3, 0, 6)
    assert {one.asked for one in read.methods.values()} == {1}


def test_a_day_is_kept_and_no_more() -> None:
    clock, (page,) = Clock(), pages(1)
    live = Live(clock)
    for _ in range(DAY + 30):
        live.searched(page, ms=1.0, counted=True)
        clock.now += MINUTE
    clock.now -= MINUTE
    read = live.read(10 * DAY)
    assert read.searches == DAY
    assert DAY <= read.methods["popular"].asked < DAY + 2 * SLOT // MINUTE, "methods are kept by slots of ten minutes"
    assert live.totals()["searches", "", ""] == DAY + 30, "metrics count from the beginning"
    clock.now -= 5 * MINUTE  # a clock that was set back loses nothing and breaks nothing
    before = live.read(1).searches
    live.searched(page, ms=1.0, counted=True)
    assert live.read(1).searches == before + 1


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 1e5), min_size=1, max_size=300))
def test_times_are_within_five_percent_of_the_true_ones(times: list[float]) -> None:
    sums = {("ms", "", number): count for number, count in Counter(map(meters.bin_of, times)).items()}
    read, ordered = meters.times(sums), sorted(times)
    assert read is not None
    assert read.count == len(times)
    for got, share in ((read.p50, 0.5), (read.p95, 0.95), (read.p99, 0.99)):
        assert got == pytest.approx(ordered[ceil(share * len(times)) - 1], rel=0.05)


@pytest.mark.parametrize("ms", [0.0, 1e-9, 1e12, float("inf")])
def test_any_time_has_a_bin(ms: float) -> None:
    assert meters.times({("ms", "", meters.bin_of(ms)): 1}) is not None


def test_a_search_text_is_told_when_two_people_searched_it() -> None:
    texts = Texts()
    for _ in range(5):
        texts.searched("my secret", "My secret", client_id="c-1")
        texts.searched("halo", "halo", client_id=None)
    texts.searched("chess", "chess", client_id="c-1")
    texts.searched("surface:shelf", "", client_id="c-1")
    texts.searched("surface:shelf", "", client_id="c-2")
    assert texts.newest(10) == []
    texts.searched("chess", "Chess!", client_id="c-2")
    texts.searched("my secret", "my secret", client_id="c-3")
    assert texts.newest(10) == ["my secret", "Chess!"]
    texts.searched("chess", "chess", client_id=None)
    assert (texts.newest(10), texts.newest(1)) == (["chess", "my secret"], ["chess"])
    for number in range(MOST):
        texts.searched(f"q {number}", f"q {number}", client_id="c-9")
    assert texts.newest(10) == [], "what nobody searched for long is forgotten"


def test_the_newest_texts_come_from_searches_that_count() -> None:
    live = Live(Clock())
    for page in pages(2, text="Halo 3"):
        live.searched(page, ms=1.0, counted=False)
    assert live.read().newest == []
    for page in pages(2, text="Halo 3"):
        live.searched(page, ms=1.0, counted=True)
    assert live.read().newest == ["Halo 3"]


def test_nothing_is_lost_between_threads() -> None:
    live, some = Live(Clock()), pages(20)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: (live.searched(some[n % 20], ms=2.0, counted=True), live.read(), live.refused("busy")), range(600)))
    read = live.read()
    assert (read.searches, read.refused, read.methods["popular"].asked) == (600, {"busy": 600}, 600)
