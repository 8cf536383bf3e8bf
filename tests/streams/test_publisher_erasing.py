"""A publisher without erased people: its models are fitted as if their finals had never come."""

import numpy as np

from learners.definition import ArmSpec, Definition
from streams.publishing.publisher import Publisher
from tests.learners.settled import T0, act, outcome, page, shown

DEFINITION = Definition(arms=[ArmSpec.of("lexical")])


class Seen:
    name = "seen"

    def fit(self, finals, definition, fitted):
        return {"rewards": np.array([len(finals), sum(one.rewards.sum() for one in finals)], dtype=np.int32)}


def concluded(numbers):
    for n in numbers:
        one = outcome([page([shown("a", 1)], search=f"s{n}")], [act("a", search=f"s{n}")], search=f"s{n}", time=T0 + n)
        yield one.model_copy(update={"client": f"{n % 2:016x}"})


def test_the_fit_after_an_erasure_is_that_of_the_others():
    publisher, other = (Publisher(DEFINITION, [Seen()]) for _ in range(2))
    publisher.conclude(concluded(range(120)))
    before = publisher.refresh()
    publisher.erase({f"{1:016x}": T0 + 1_000})
    other.conclude(concluded(range(0, 120, 2)))
    after = publisher.refresh()
    assert after.content_id == other.refresh().content_id != before.content_id
    publisher.erase({f"{1:016x}": T0 + 1_000})
    assert publisher.refresh() is None


def test_where_too_few_are_left_for_a_fit_the_models_go():
    publisher = Publisher(DEFINITION, [Seen()])
    publisher.conclude(concluded(range(60)))
    assert publisher.refresh().arrays.keys() >= {"seen.rewards"}
    publisher.erase({f"{1:016x}": T0 + 1_000})
    assert not any(name.startswith("seen") for name in publisher.refresh().arrays)


def test_a_fit_that_is_under_way_does_not_bring_erased_people_back():
    publisher = Publisher(DEFINITION, [Seen()])
    publisher.conclude(concluded(range(60)))
    fit = publisher.due()
    publisher.erase({f"{1:016x}": T0 + 1_000})
    publisher.take(fit())
    assert not any(name.startswith("seen") for name in publisher.refresh().arrays)
