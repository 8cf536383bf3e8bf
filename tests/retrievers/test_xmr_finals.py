"""From finals to a model: who counts, how often, and that the publisher's door takes it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.arrays import unpack
from learners.definition import ArmSpec, Definition, ReadingSpec
from learners.finals import Final
from learners.models import FinalsModel, fit_models
from retrievers.xmr.finals import XmrFit, examples
from retrievers.xmr.fitting import Example
from retrievers.xmr.retriever import XmrRetriever
from schemas.base import UNIT
from tests.retrievers.shop import NOW, request

RULES = Definition(arms=[ArmSpec.of("xmr")], reading=ReadingSpec(min_clients=2))


def final(number, query, client, *, shown=None, off_page=None):
    """A search at NOW + number; `shown` and `off_page`: entity -> reward in clicks."""
    rewards = np.array([int(reward * UNIT) for reward in (shown or {}).values()], dtype=np.int32)
    n = len(rewards)
    return Final(
        final_id=f"f{number}", time=NOW + number, query_key=query, segment="", client=client, rank_version="",
        entities=tuple(shown or {}), positions=np.arange(1, n + 1, dtype=np.int32), features=np.zeros((n, 0), np.int16), rewards=rewards,
        viewed=np.zeros(n, np.bool_), modes=np.zeros(n, np.int8), probabilities=np.ones(n, np.float32),
        off_page={entity: int(reward * UNIT) for entity, reward in (off_page or {}).items()}, has_viewed=False,
    )  # fmt: skip


def test_pairs_by_hand():
    finals = [
        final(1, "halo", "ann", shown={"A": 1, "B": 0, "C": 0.5}),
        final(2, "halo", "bob", shown={"A": 0, "C": 2}, off_page={"A": 4}),
        final(3, "halo", "ann", shown={"B": 1}),  # ann alone wants B
        final(4, "halo", "ann", shown={"B": 1}),
        final(5, "halo 3", "bob", shown={"B": 1}),  # under another query
        final(6, "halo", "cem", shown={"A": 0, "B": 0}),
    ]
    a = [Example(NOW + 1, "halo", "A", 1.0), Example(NOW + 2, "halo", "A", 4.0)]
    c = [Example(NOW + 1, "halo", "C", 0.5), Example(NOW + 2, "halo", "C", 2.0)]
    b = [Example(NOW + 3, "halo", "B", 1.0), Example(NOW + 4, "halo", "B", 1.0)]
    assert sorted(examples(finals, min_clients=2)) == sorted(a + c)
    assert sorted(examples(finals, min_clients=1)) == sorted([*a, *c, *b, Example(NOW + 5, "halo 3", "B", 1.0)])
    assert examples(finals, min_clients=3) == []


def test_of_one_person_the_newest_three_searches_count_for_a_pair():
    finals = [final(n, "halo", "ann", shown={"A": 1}) for n in range(100)] + [final(7, "halo", "bob", shown={"A": 1})]
    found = examples(finals, min_clients=2)
    assert sorted(one.time - NOW for one in found) == [7, 97, 98, 99]


def test_the_publisher_takes_it_and_the_retriever_reads_it():
    model: FinalsModel = XmrFit()
    assert model.name == "xmr"
    assert dict(model.fit([], RULES, {})) == {}
    finals = [final(n, query, f"client {n}", shown={entity: 1}) for n, (query, entity) in enumerate(SEARCHES)]
    arrays = fit_models([model], finals, RULES, {})
    assert {name.partition(".")[0] for name in arrays} == {"xmr"}
    xmr = XmrRetriever()
    xmr.replace({name.removeprefix("xmr."): unpack(array, what=name) for name, array in arrays.items()})
    assert [one.entity_id for one in xmr.retrieve(request("gear of war"), 1)] == ["G"]
    assert [one.entity_id for one in xmr.retrieve(request("Halo!"), 1)] == ["H"]
    assert xmr.retrieve(request("zzzz"), 9) == []


SEARCHES = [("gears of war", "G"), ("halo reach", "H"), ("chess", "C")] * 4


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)))
def test_the_order_of_finals_does_not_matter(order):
    finals = [final(n // 2, *SEARCHES[n % 12][:1], f"client {n % 7}", shown={"GHC"[n % 5 % 3]: 1}, off_page={"X": 1}) for n in range(60)]
    one, two = XmrFit().fit(finals, RULES, {}), XmrFit().fit([finals[at] for at in order], RULES, {})
    assert {name: values.tobytes() for name, values in one.items()} == {name: values.tobytes() for name, values in two.items()}
