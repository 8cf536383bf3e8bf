"""Laws of every selector (learners.selection.selector). A check takes a function that makes the selector anew."""

from collections.abc import Callable, Sequence

import numpy as np

from learners.features import ARM_FEATURES, as_reals
from learners.selection.selector import Selector
from tests.learners.requests import request

NAMES = ("lexical_title", "dense", "memory")
FLOOR = 0.03
Make = Callable[[], Selector]


def phi(names: Sequence[str], query: str = "halo 3", seed: int = 0) -> np.ndarray:
    records = np.random.default_rng(seed).random(len(names))
    return as_reals(ARM_FEATURES.matrix(request(query), records=records, known=0.4))


def check_probabilities_lie_within_the_floor(make: Make) -> None:
    for seed in range(20):
        p = make().probabilities(request("x " * (seed % 5), search_id=f"s-{seed}"), NAMES, phi(NAMES, seed=seed))
        assert p.shape == (len(NAMES),)
        assert ((p >= FLOOR) & (p <= 1 - FLOOR)).all()


def check_order_and_company_do_not_matter(make: Make) -> None:
    selector, x = make(), phi(NAMES)
    whole = dict(zip(NAMES, selector.probabilities(request(), NAMES, x).tolist(), strict=True))
    for rows in ([2, 0, 1], [1, 0], [2]):
        names = [NAMES[row] for row in rows]
        assert selector.probabilities(request(), names, x[rows]).tolist() == [whole[name] for name in names]


def check_reading_changes_nothing(make: Make) -> None:
    selector, x = make(), phi(NAMES)
    before = x.copy()
    first = selector.probabilities(request(), NAMES, x)
    first[:] = 0.123  # what the caller does with its answer is its own affair
    for seed in range(5):
        selector.probabilities(request("other", search_id=f"o-{seed}"), NAMES[:2], phi(NAMES[:2], seed=seed))
    assert (x == before).all()
    assert selector.probabilities(request(), NAMES, x).tolist() == make().probabilities(request(), NAMES, x).tolist()


def check_unknown_arms_are_likely_asked(make: Make) -> None:
    names = ("never_seen", *NAMES)
    p = make().probabilities(request(), names, phi(names))
    assert FLOOR <= p[0] <= 1 - FLOOR
    assert p[0] >= 0.5


def check_no_arms_no_probabilities(make: Make) -> None:
    assert make().probabilities(request(), [], np.zeros((0, len(ARM_FEATURES.names)))).shape == (0,)


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
