"""The index of terms against sets in a dict, and under threads."""

import math
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrievers.terms import MAX_DEAD, Document, TermIndex, View
from schemas.candidates import Candidate

TERMS = st.lists(st.sampled_from("abcdefgh"), max_size=6)
CHANGE = st.tuples(
    st.dictionaries(st.sampled_from("uvwxyz"), st.tuples(TERMS, st.integers(0, 9)), max_size=4),
    st.lists(st.sampled_from("uvwxyz"), max_size=2),
)


def idf(documents: dict[str, set[str]], term: str) -> float:
    df = sum(term in terms for terms in documents.values())
    return math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))


def found(view: View, query: list[str], power: int) -> dict[str, tuple[float, int]]:
    some = view.find(query, power=power)
    names = [one.entity_id for one in view.best(some.numbers, some.numbers + 1.0, 99)][::-1]  # by number
    return {name: (weight, shared) for name, weight, shared in zip(names, some.weights.tolist(), some.shared.tolist(), strict=True)}


@settings(deadline=None)
@given(st.lists(CHANGE, max_size=12), TERMS, st.integers(1, 2))
def test_equals_sets_in_a_dict(changes: list, query: list[str], power: int) -> None:
    index, plain, values = TermIndex(), dict[str, set[str]](), dict[str, float]()
    for documents, gone in changes:
        gone = [name for name in gone if name not in documents]
        index.put([Document(name, terms, value) for name, (terms, value) in documents.items()], gone=gone)
        plain.update({name: set(terms) for name, (terms, _) in documents.items()})
        values.update({name: value for name, (_, value) in documents.items()})
        for name in gone:
            plain.pop(name, None)
    view, asked = index.view, sorted(set(query))
    expected = {
        name: (pytest.approx(sum(idf(plain, term) ** power for term in asked if term in terms)), len(terms & set(asked)))
        for name, terms in plain.items()
        if terms & set(asked)
    }
    assert found(view, query, power) == expected
    some = view.find(query, power=power)
    known = {term for term in asked if any(term in terms for terms in plain.values())}
    assert some.known == pytest.approx(sum(idf(plain, term) ** power for term in asked if term in known))
    assert some.unknown == pytest.approx(sum(idf(plain, term) ** power for term in asked if term not in known))
    everything = view.everything()
    assert sorted(view.values[everything].tolist()) == sorted(values[name] for name in plain)
    assert sorted(view.lengths[everything].tolist()) == sorted(map(len, plain.values()))
    assert len(index) == view.living == len(plain)
    if plain:
        assert view.mean_length == pytest.approx(sum(map(len, plain.values())) / len(plain))


def test_order_and_batches_do_not_matter_to_the_last_bit() -> None:
    chance = random.Random(3)
    documents = [Document(f"d{number:02d}", chance.choices("abcdefghij", k=chance.randint(1, 8))) for number in range(60)]
    whole, single = TermIndex(), TermIndex()
    whole.put(documents)
    for _ in range(2):  # what is replaced by the same, too
        for one in chance.sample(documents, len(documents)):
            single.put([one])
    for query in ("a", "abc", "jihgfedcba"):
        lists = []
        for view in (whole.view, single.view):
            some = view.find(query, power=2)
            lists.append(view.best(some.numbers, some.weights, 99))
        assert lists[0] == lists[1]


def test_ties_at_the_cut_go_by_id() -> None:
    index = TermIndex()
    index.put(Document(name, "a") for name in "dbeca")
    index.put([Document("z", "ab")])
    some = index.view.find("ab")
    assert [one.entity_id for one in index.view.best(some.numbers, some.weights, 3)] == ["z", "a", "b"]
    assert index.view.best(some.numbers, some.weights, 0) == index.view.best(some.numbers, some.weights, -1) == []


def test_a_view_stays_as_it_was() -> None:
    index = TermIndex()
    index.put([Document("a", "xy"), Document("b", "y")])
    view, before = index.view, found(index.view, ["x", "y"], 1)
    for number in range(100):  # far enough that every array was replaced by a longer one
        index.put([Document(f"c{number}", "xyz"), Document("a", "q")], gone=["b"])
    assert found(view, ["x", "y", "z"], 1) == before


def test_the_dead_are_weeded_out() -> None:
    index, kept = TermIndex(), Document("kept", "ab", 7.0)
    index.put([kept])
    for number in range(MAX_DEAD + 10):
        index.put([Document("changing", ["a", f"t{number}"])])
    view = index.view
    assert len(view.alive) < MAX_DEAD, "replaced documents are not kept for ever"
    assert found(view, ["b"], 1) == {"kept": (math.log(2.0), 1)}
    assert view.values[view.find("b").numbers].tolist() == [7.0]
    assert [len(view.find([term]).numbers) for term in ("t0", f"t{MAX_DEAD + 9}")] == [0, 1]


def test_a_batch_comes_at_once_while_others_search() -> None:
    index = TermIndex()
    index.put(Document(f"d{number}", ["a", "old"]) for number in range(8))
    started, done = Event(), Event()

    def look() -> int:
        looks = 0
        while not done.is_set() or looks == 0:
            view = index.view
            some = view.find(["a", "old", "new"])
            assert len(some.numbers) == 8, "what is replaced is found once, before or after"
            assert len(set(some.weights.tolist())) == 1, "some of the batch are new, some old"
            best: list[Candidate] = view.best(some.numbers, some.weights, 8)
            assert [one.entity_id for one in best] == [f"d{number}" for number in range(8)]
            looks += 1
            started.set()
        return looks

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(look) for _ in range(2)]
        try:
            assert started.wait(30)
            for turn in range(400):  # many enough to be weeded on the way
                index.put(Document(f"d{number}", ["a", "new" if turn % 2 else "old", f"t{turn}"]) for number in range(8))
        finally:
            done.set()
        assert all(one.result(30) > 0 for one in looks)
