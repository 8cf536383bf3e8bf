"""Every class in learners.selection with `probabilities` is under the checks; one without an example here fails."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import learners.selection
from learners.features import ARM_FEATURES
from learners.policy import Policy
from learners.selection.arm import Sums, fit_arms
from learners.selection.epsilon_greedy import EpsilonGreedy
from learners.selection.fixed import Fixed
from learners.selection.replay import Replay
from learners.selection.selector import Selector
from learners.selection.thompson import Thompson
from tests.checks.selector_checks import CHECKS, FLOOR, NAMES
from tests.learners.requests import definition, request

COSTS = {"lexical_title": 0.02, "dense": 0.04, "memory": 0.005}


def trained():
    """One arm that pays, one that does not, one in between; no parameter at 0 or 1."""
    rng, d = np.random.default_rng(0), len(ARM_FEATURES.names)
    x = np.hstack([np.ones((3000, 1)), rng.random((3000, d - 1)) / 2])
    y = np.array([[0.6], [0.01], [0.05]]) + rng.normal(0, 0.2, size=(3, 3000))
    xx = np.broadcast_to(x.T @ x, (3, d, d))
    return fit_arms(Sums(np.full(3, 3000.0), y.sum(1), (y * y).sum(1), y @ x, xx))


EXAMPLES = {
    Thompson: lambda: Thompson(NAMES, trained(), costs=COSTS, floor=FLOOR),
    EpsilonGreedy: lambda: EpsilonGreedy(NAMES, trained(), costs=COSTS, floor=FLOOR, epsilon=0.2),
    Fixed: lambda: Fixed({"lexical_title": 1.0, "dense": 0.0, "memory": 0.4}, floor=FLOOR),
    Replay: lambda: Replay([("s-1", Policy.untrained(definition(*NAMES, floor=0.01)).decide(request(), available=NAMES))], floor=FLOOR),
}


def discovered():
    modules = [importlib.import_module(f"learners.selection.{one.name}") for one in pkgutil.iter_modules(learners.selection.__path__)]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return sorted((one for one in classes if hasattr(one, "probabilities") and one is not Selector), key=lambda one: one.__name__)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("selector", discovered(), ids=lambda one: one.__name__)
def test_selector(selector, check):
    check(EXAMPLES[selector])


def test_all_are_found():
    assert set(discovered()) == set(EXAMPLES)


def test_what_pays_is_asked_and_what_does_not_is_not():
    x = np.array([[1.0] + [0.25] * (len(ARM_FEATURES.names) - 1)] * 3)  # an average search
    for make in (EXAMPLES[Thompson], EXAMPLES[EpsilonGreedy]):
        pays, does_not, _ = make().probabilities(request(), NAMES, x)
        assert pays > 0.85
        assert does_not < pays
