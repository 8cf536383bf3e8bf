"""The publisher's core: deltas or absolute rows, in any order and however often, give one policy; nothing new gives none."""

import numpy as np
import pytest

from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import fit
from learners.tallies import TallyBatch, add
from schemas.rows import TallyRow
from streams.publishing.publisher import Publisher

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
