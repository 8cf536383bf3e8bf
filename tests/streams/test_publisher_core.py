"""The publisher's core: deltas or absolute rows, in any order and however often, give one policy; nothing new gives none."""

import numpy as np
import pytest

from learners.arrays import unpack
from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import fit
from learners.tallies import TallyBatch, add
from schemas.rows import TallyRow
from streams.publishing.publisher import Publisher
from tests.learners.settled import outcome, page, shown

DEFINITION = Definition(arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])
HOUR = 480_000


def tallies(*rewards, arm="lexical", hour=HOUR):
    batch = TallyBatch()
    for n, credit in enumerate(rewards):
        phi = [256, *[n] * (len(ARM_FEATURES.names) - 1)]
        batch.asked(arm, ARM_FEATURES.hash, hour, phi)
        batch.credit(arm, ARM_FEATURES.hash, hour, phi, 0, credit)
        batch.drawn(arm, "2", hour, 7)
    return batch.take()


def rows(of):
    return [TallyRow(kind=kind, arm=arm, context=context, hour=hour, sums=sums.tolist()) for (kind, arm, context, hour), sums in of.items()]


SHARES = [tallies(256, 0, 512), tallies(0, 0, arm="memory"), tallies(1024, hour=HOUR - 30)]


@pytest.fixture
def whole():
    into = {}
    for share in SHARES:
        add(into, share)
    return fit(DEFINITION, into, HOUR)


def test_a_policy_without_evidence_comes_once():
    publisher = Publisher(DEFINITION)
    assert publisher.refresh() == fit(DEFINITION, {}, 0)
    assert publisher.refresh() is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_deltas_and_absolute_rows_of_sources_give_the_policy_of_their_sum(whole, order):
    deltas, absolute = Publisher(DEFINITION), Publisher(DEFINITION)
    for source in order:
        deltas.add(SHARES[source])
        absolute.put(source, rows(SHARES[source]))
    assert deltas.refresh() == absolute.refresh() == whole
    assert deltas.refresh() is absolute.refresh() is None


def test_a_row_replaces_the_last_one_of_its_source_only(whole):
    publisher = Publisher(DEFINITION)
    publisher.put(0, rows(tallies(256)))
    publisher.put(1, rows(SHARES[1]))
    publisher.put(2, rows(SHARES[2]))
    assert publisher.refresh() != whole
    publisher.put(0, rows(SHARES[0]))
    assert publisher.refresh() == whole


def test_rows_that_are_sent_again_change_nothing(whole):
    publisher = Publisher(DEFINITION)
    for source, share in enumerate(SHARES):
        publisher.put(source, rows(share))
    assert publisher.refresh() == whole
    publisher.put(1, rows(SHARES[1]))
    publisher.add({})
    assert publisher.refresh() is None


def test_a_row_of_another_length_takes_the_old_ones_place(whole):
    publisher = Publisher(DEFINITION)
    key = ("arm", "lexical", next(iter(SHARES[0]))[2], HOUR)
    publisher.put(0, rows({key: SHARES[0][key] * 3}))
    publisher.put(0, rows({key: np.zeros(5, dtype=np.int64)}))
    for source, share in enumerate(SHARES):
        publisher.put(source, rows(share))
    assert publisher.refresh() == whole


def test_another_definition_is_fitted_to_the_same_rows():
    publisher, other = Publisher(DEFINITION), Definition(arms=[ArmSpec.of("memory"), ArmSpec.of("dense")])
    publisher.put(1, rows(SHARES[1]))
    publisher.refresh()
    publisher.redefine(other)
    assert publisher.refresh() == fit(other, SHARES[1], HOUR)


class Counting:
    """A model that says how many finals it was fitted to, and what was fitted before it."""

    def __init__(self, name="toy", **also):
        self.name, self.also, self.fits, self.fails = name, also, [], False

    def fit(self, finals, definition, fitted):
        self.fits.append((len(finals), definition.salt, sorted(fitted)))
        if self.fails:
            raise ArithmeticError("does not converge")
        return {"n": np.array([len(finals)], dtype=np.int32), **self.also}


def searches(first, last):
    return [outcome([page([shown("a", 1)], search=f"s{n}")], search=f"s{n}") for n in range(first, last)]


def numbers(content):
    return {name: unpack(array, what=name).tolist() for name, array in content.arrays.items() if name[:4] in ("toy.", "xmr.", "exam")}


def test_models_are_fitted_at_50_100_250_and_every_500_finals():
    model = Counting()
    publisher = Publisher(DEFINITION, [model])
    for n in range(0, 1_600, 10):
        publisher.conclude(searches(n, n + 10))
        publisher.conclude(searches(n, n + 10))
        publisher.refresh()
    assert [finals for finals, _, _ in model.fits] == [50, 100, 250, 500, 1_000, 1_500]


def test_arrays_of_models_stand_in_every_content_and_are_not_fitted_again_by_news_of_the_sums():
    model = Counting()
    publisher = Publisher(DEFINITION, [model])
    assert numbers(publisher.refresh()) == {}
    publisher.conclude(searches(0, 60))
    first = publisher.refresh()
    assert numbers(first) == {"toy.n": [60]}
    publisher.conclude(searches(60, 99))
    assert publisher.refresh() is None
    publisher.add(SHARES[0])
    second = publisher.refresh()
    assert second.arrays["toy.n"] is first.arrays["toy.n"]
    assert second.content_id != first.content_id
    assert len(model.fits) == 1


def test_without_models_finals_cost_nothing():
    publisher = Publisher(DEFINITION)
    publisher.conclude(searches(0, 60))
    assert not publisher.wants("f", 1)
    assert len(publisher.finals) == 0


def test_later_models_see_what_earlier_ones_gave():
    empty = Counting("exam")
    empty.fit = lambda finals, definition, fitted: {}
    first, second = Counting(w=np.array([0.5])), Counting("xmr")
    publisher = Publisher(DEFINITION, [empty, first, second])
    publisher.conclude(searches(0, 50))
    assert numbers(publisher.refresh()) == {"toy.n": [50], "toy.w": [0.5], "xmr.n": [50]}
    assert second.fits == [(50, "forage", ["toy.n", "toy.w"])]


def test_a_model_that_raises_keeps_its_last_arrays_and_stops_nobody(caplog):
    failing, other = Counting(), Counting("xmr")
    publisher = Publisher(DEFINITION, [failing, other])
    publisher.conclude(searches(0, 50))
    publisher.refresh()
    failing.fails = True
    publisher.conclude(searches(50, 100))
    assert numbers(publisher.refresh()) == {"toy.n": [50], "xmr.n": [100]}
    assert "model toy was not fitted to 100 finals; its last arrays stay" in caplog.text


def test_arrays_that_cannot_be_published_are_a_failure_of_their_model(caplog):
    bad = Counting(w=np.array([np.nan]))
    publisher = Publisher(DEFINITION, [bad])
    publisher.conclude(searches(0, 50))
    assert numbers(publisher.refresh()) == {}
    assert "NaN or infinity" in caplog.text


def test_arrays_that_make_no_policy_are_not_published_and_those_of_other_models_are(caplog):
    curve = Counting("examination", theta=np.linspace(1.0, 0.5, 6))
    publisher = Publisher(DEFINITION, [Counting(), curve, Counting("xmr")])
    publisher.conclude(searches(0, 50))
    first = publisher.refresh()
    curve.also = {"theta": np.full(6, 7.0)}
    publisher.conclude(searches(50, 100))
    second = publisher.refresh()
    assert numbers(second) == numbers(first) | {"toy.n": [100], "xmr.n": [100]}
    assert unpack(second.arrays["examination.theta"], what="theta")[0] == 1.0
    assert "what model examination found is not published, its last arrays stay: snapshot array 'examination.theta' is" in caplog.text


def test_another_definition_fits_the_models_again():
    model = Counting()
    publisher = Publisher(DEFINITION, [model])
    publisher.conclude(searches(0, 60))
    publisher.refresh()
    publisher.redefine(DEFINITION.model_copy(update={"salt": "other"}))
    assert publisher.refresh().definition["policy"]["salt"] == "other"
    assert [salt for _, salt, _ in model.fits] == ["forage", "other"]


def test_a_fit_to_a_definition_that_is_gone_is_not_taken():
    publisher, other = Publisher(DEFINITION, [Counting()]), DEFINITION.model_copy(update={"salt": "other"})
    publisher.conclude(searches(0, 50))
    fit = publisher.due()
    publisher.redefine(other)
    publisher.take(fit())
    assert numbers(publisher.refresh(fit=False)) == {}
    assert numbers(publisher.refresh()) == {"toy.n": [50]}


def test_a_fit_in_another_thread_is_taken_when_it_is_done():
    publisher = Publisher(DEFINITION, [Counting()])
    publisher.conclude(searches(0, 50))
    fit = publisher.due()
    publisher.conclude(searches(50, 60))
    assert publisher.due() is None
    assert numbers(publisher.refresh()) == {}  # it goes on while the fit runs
    publisher.take(fit())
    assert numbers(publisher.refresh()) == {"toy.n": [50]}


def test_a_new_publisher_goes_on_with_what_was_published_until_it_can_fit():
    first = Publisher(DEFINITION, [Counting(), Counting("xmr")])
    first.conclude(searches(0, 50))
    running = first.refresh()
    second = Publisher(DEFINITION, [Counting()])
    second.keep(running)
    assert numbers(second.refresh()) == {"toy.n": [50]}  # what is no model of ours is left out
    second.conclude(searches(0, 120))
    assert numbers(second.refresh()) == {"toy.n": [120]}
    third = Publisher(DEFINITION.model_copy(update={"salt": "other"}), [Counting()])
    third.keep(running)
    assert numbers(third.refresh()) == {}
