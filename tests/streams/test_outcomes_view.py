"""OutcomesView on records written by hand: any order and repeats give the same finals, what is broken is counted and left."""

import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import ArmSpec, Definition
from schemas.codec import decode_event, encode
from schemas.errors import InvalidMessage
from streams.kernel import kernel as kernel_module
from streams.kernel.kernel import Kernel
from streams.publishing.concluding import concluded, conclusion_of
from streams.publishing.outcomes_view import Fitter, OutcomesView
from streams.publishing.publisher import Fitted, Publisher
from streams.reading.follower import Incoming
from tests.learners.settled import act, amendment, outcome, page, plain, sampled, shown
from tests.streams.searchbox import RULES, record, records
from tests.streams.searchbox import page as page_of

DEFINITION = Definition(arms=[ArmSpec.of("lexical")])


class Model:
    name = "rank"

    def fit(self, finals, definition, fitted):
        return {"n": np.array([len(finals)], dtype=np.int32)}


def searched(n):
    pages = [page([shown("a", 1), shown("b", 2)], search=f"s{n}", candidates=[sampled("x")])]
    return outcome(pages, [act("a", search=f"s{n}")] if n % 2 else [], search=f"s{n}")


ALL = [searched(n) for n in range(40)] + [amendment(act("b", search=f"s{n}")) for n in range(0, 40, 5)]
RECORDS = [Incoming(n % 3, n, b"k", encode(one), []) for n, one in enumerate(ALL)]


def held(records, batch):
    publisher = Publisher(DEFINITION, [Model()])
    view = OutcomesView(publisher, threading.Lock())
    for at in range(0, len(records), batch):
        view.apply(records[at : at + batch])
    return view, [plain(one) for one in publisher.finals.sorted()]


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(len(RECORDS))), st.integers(1, 60))
def test_order_batches_and_repeats_do_not_matter(order, batch):
    expected = Publisher(DEFINITION, [Model()])
    expected.conclude(ALL)
    records = [RECORDS[at] for at in order] + [RECORDS[at] for at in order[:20]]
    assert held(records, batch)[1] == [plain(one) for one in expected.finals.sorted()]


def test_broken_conclusions_are_counted_and_the_others_taken():
    broken = [
        None,
        b"",
        b"{}",
        encode(act("a")),
        RECORDS[0].value[:-1],
        RECORDS[0].value.replace(b'"position":1', b'"position":0'),
        json.dumps({"type": "final"}).encode(),
    ]
    view, finals = held([*(Incoming(1, n, b"k", value, []) for n, value in enumerate(broken)), *RECORDS[:5]], 4)
    assert (view.refused, len(finals)) == (len(broken), 5)
    assert view.last_refusal.startswith("partition 1, offset 6: not a final or amendment")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.integers(0, 2**48 - 1))
def test_a_final_that_nobody_wants_is_not_decoded_whatever_its_search_is_called(search_id, time):
    one, asked = searched(3).model_copy(update={"search_id": search_id, "time": time}), []
    assert conclusion_of(encode(one), lambda name, at: bool(asked.append((name, at)))) is None
    assert asked == [(one.final_id, time)]


def test_amendments_are_always_wanted():
    assert conclusion_of(encode(ALL[-1]), lambda *_: False) == ALL[-1]
    with pytest.raises(InvalidMessage):
        conclusion_of(b'{"schema_version":1,"type":"amendment"}', lambda *_: False)


def test_one_fit_at_a_time_and_its_result_once():
    fitter, go = Fitter(), threading.Event()
    assert (fitter.busy, fitter.result()) == (False, None)
    fitted = Fitted(DEFINITION, {}, 0)
    fitter.start(lambda: go.wait(10) and fitted)
    assert (fitter.busy, fitter.result()) == (True, None)
    go.set()
    fitter._thread.join()
    assert (fitter.result(), fitter.result()) == (fitted, None)


def test_finals_at_hand_are_those_that_are_sent():
    """A kernel that was given objects concludes the same as from bytes, without decoding: also with late pages, and with most at hand."""
    at_hand, sent = 0, 0
    for seed in range(3):
        one, other = Kernel(0, 1, RULES), Kernel(0, 1, RULES)
        for n, line in enumerate(records(seed)):
            try:
                given = line._replace(event=decode_event(line.value)) if n % 9 else line
            except InvalidMessage:
                given = line
            changes, plainly = one.apply([given]), other.apply([line])
            assert changes.outgoing == plainly.outgoing
            assert plainly.concluded == {}
            sent += sum(found.type == "final" for found in concluded(changes.outgoing, lambda *_: True))
            for found in concluded(changes.outgoing, lambda *_: True, changes.concluded):
                at_hand += changes.concluded.get(found.final_id) is found
            assert list(concluded(changes.outgoing, lambda *_: True, changes.concluded)) == list(
                concluded(plainly.outgoing, lambda *_: True)
            )
    assert sent > at_hand > sent / 2


def test_few_open_searches_are_kept_as_objects(monkeypatch):
    monkeypatch.setattr(kernel_module, "AT_HAND", 2)
    kernel = Kernel(0, 1, RULES)
    for n in range(5):
        event = page_of(f"s{n}")
        kernel.apply([record(n, event, 0)._replace(event=event)])
    assert sum(fact.page is not None for some in kernel.searches.open.values() for one in some for fact in one.pages) == 2


def test_after_a_fit_comes_a_rest_four_times_as_long():
    times = iter([10.0, 12.0, 19.9, 20.0])
    fitter = Fitter(clock=lambda: next(times))
    fitter.start(lambda: "fitted")
    fitter._thread.join()
    assert (fitter.result(), fitter.seconds) == ("fitted", 2.0)
    assert [fitter.ready, fitter.ready] == [False, True]
