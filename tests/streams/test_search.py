"""What a search amounts to is the same awake, asleep, and as its facts say."""

from schemas.codec import encode
from streams.kernel.changes import Changes
from streams.kernel.join import Adder, open_search
from streams.kernel.kernel import Kernel
from streams.kernel.packing import pack
from streams.kernel.search import Counted, Fact, Search
from streams.kernel.seen_ids import SeenIds
from streams.kernel.share import Share, digest_state
from tests.streams.searchbox import MIN, RULES, START, act, decision, page, record


def searched() -> Search:
    """Two pages, the second with an entity of the first again, and three actions, one of them twice."""
    adder, first = Adder(Changes(), RULES), page(query={"text": "Hälo  Ω", "locale": "de"}, segment="s")
    search = open_search(first, START, RULES)
    second = page(number=2, first=4, results={"a": {"mem": 2}, "d": {"lex": 9}, "b": {"lex": 1}}, segment="s")
    for at, one in enumerate((first, second)):
        adder.page(search, one)
        search.pages.append(Fact(START + at, pack(encode(one))))
    for at, one in enumerate((act("1"), act("2", kind="play"), act("3", entity="nowhere"), act("4"))):
        adder.action(search, one)
        search.actions.append((Fact(START + at, encode(one)), one))
    return search


def test_awake_asleep_or_from_its_facts_it_is_the_same():
    search = searched()
    awake = search.counted
    assert awake.found == {"a": {"lex": 1, "mem": 2}, "b": {"lex": 1, "mem": 1}, "c": {"mem": 7}, "d": {"lex": 9}}
    assert awake.done == {"a": {"click", "play"}, "nowhere": {"click"}}
    assert Counted.unpacked(awake.packed()) == awake
    search.sleep()
    assert search.counted == awake
    assert search.counted is not search.counted, "a sleeping one keeps no objects"
    assert search.wake() is search.counted
    facts = Search(search.search_id, search.t0, search.ts, search.client, search.pages, search.actions)
    assert facts.counted == awake
    facts.conclude()
    assert (facts.counted, facts.pages, facts.actions, facts.final) == (awake, [], [], True)


def test_a_page_repeats_the_decision_of_a_search_that_sleeps():
    search = searched()
    search.sleep()
    assert search.counted.same_decision(page(number=3))
    assert not search.counted.same_decision(page(number=3, by=decision(decision_id="other")))


def test_searches_that_nothing_touches_sleep_as_a_tenth(monkeypatch):
    monkeypatch.setattr("streams.kernel.searches.AWAKE", 3)
    kernel = Kernel(0, 1, RULES)
    for n in range(10):
        kernel.apply([record(n, page(f"s{n}"), n)])
    kernel.apply([record(0, act("1", search="s0"), 20)])
    awake = {name for name, (one,) in kernel.searches.open.items() if isinstance(one._counted, Counted)}
    assert awake == {"s8", "s9", "s0"}


def test_an_action_that_was_refused_stays_refused_after_a_restart():
    """Held, then too late for a search that is forgotten early, since its page is from the day before; then the id comes again."""
    kernel, saved, ids = Kernel(0, 1, RULES), [], []
    late = page("s", at=-1_350 * MIN)  # its id is forgotten 2 h after START
    for at, event in ((111 * MIN, act("1", at=111 * MIN)), (63 * MIN, late), (122 * MIN, page("s", number=2, at=122 * MIN))):
        changes = kernel.apply([record(kernel.next["actions" if event.type == "action" else "impressions"], event, at)])
        saved, ids = saved + changes.events, ids + changes.ids
    restored = Kernel.restore(0, 1, RULES, next_=kernel.next, times=kernel.clock.times, ids=SeenIds(ids), events=saved)
    assert digest_state([Share()], [restored])["open"] == digest_state([Share()], [kernel])["open"]
