import numpy as np
import pytest
from river import checks, datasets, linear_model

from learners.features import ARM_FEATURES, as_reals
from learners.fit import fit
from learners.policy import Policy
from learners.river import ArmRegressor, StrategyPolicy
from learners.tallies import TallyBatch
from schemas.errors import InvalidSetting
from tests.learners.requests import definition, request


def _checks():
    # River feeds its checks from scikit-learn's loaders; the regression stream among them is this one.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "_yield_datasets", lambda model, scale=1: [datasets.TrumpApproval().take(200 * scale)])
        yield from checks.yield_checks(ArmRegressor())


@pytest.mark.parametrize("check", list(_checks()), ids=lambda check: check.__name__)
def test_river_estimator_checks(check):
    assert not ArmRegressor._unit_test_skips(ArmRegressor())
    check(ArmRegressor())


def test_equals_rivers_bayesian_linear_regression_at_weight_1_and_mean_0():
    ours, theirs = ArmRegressor(weight=1.0, mean=0.0), linear_model.BayesianLinearRegression(alpha=1, beta=1)
    rng = np.random.default_rng(2)
    for _ in range(200):
        x = {name: float(value) for name, value in zip("abcde", rng.normal(size=5), strict=True) if rng.random() < 0.8}
        y = float(rng.normal())
        assert ours.predict_one(x) == pytest.approx(theirs.predict_one(x), abs=1e-9)
        ours.learn_one(x, y)
        theirs.learn_one(x, y)
    posterior = ours.posterior()
    at = [ours.names().index(name) for name in theirs._idx]
    d = len(theirs._idx)
    np.testing.assert_allclose(posterior.covariance[0][np.ix_(at, at)], theirs._ss_inv_arr[:d, :d], atol=1e-9)


def test_the_same_outcomes_give_tallies_and_river_the_same_posterior():
    rng, tallies, learner = np.random.default_rng(7), TallyBatch(), StrategyPolicy(seed=1)
    for search in range(300):
        asked = request(["halo", "halo 3", "a b c d"][search % 3], recent=["e"] if search % 2 else [])
        phi = ARM_FEATURES.phi(asked, record=float(rng.random()), known=float(rng.random()))
        credit = int(rng.integers(0, 3)) * 256 + int(rng.integers(0, 256))
        context = dict(zip(ARM_FEATURES.names, as_reals([phi])[0].tolist(), strict=True))
        tallies.asked("dense", ARM_FEATURES.hash, 5, phi)
        tallies.credit("dense", ARM_FEATURES.hash, 5, phi, 0, credit)
        learner.update("ask", context, credit / 256)
        learner.update("skip", context, 5.0)  # skipping teaches nothing
    policy = Policy(fit(definition("dense"), tallies.take(), 5), seq=1)
    ours, river = policy.posteriors, learner.regressor.posterior()
    assert learner.regressor.names() == list(ARM_FEATURES.names)
    for name in ("mean", "covariance", "sigma2", "n"):
        np.testing.assert_allclose(getattr(river, name), getattr(ours, name), atol=1e-9)


def test_probability_is_that_of_the_policy():
    policy, learner = Policy.untrained(definition("dense")), StrategyPolicy(cost=0.04, seed=3)
    context = dict(zip(ARM_FEATURES.names, as_reals([ARM_FEATURES.phi(request(), record=0.5, known=0.0)])[0].tolist(), strict=True))
    assert learner.probability(context) == pytest.approx(policy.probabilities(request(), available=["dense"])["dense"])


def test_pulls_agree_with_the_probability_and_do_not_learn():
    learner, context = StrategyPolicy(cost=0.45, seed=3), {"bias": 1.0}
    p, n = learner.probability(context), 3000
    asked = sum(learner.pull(["ask", "skip"], context) == "ask" for _ in range(n))
    assert 0.5 < p < 0.9
    assert abs(asked - n * p) < 3.5 * (n * p * (1 - p)) ** 0.5
    assert learner.probability(context) == p
    assert learner.pull(["skip"], context) == "skip"


def test_distribution_is_of_the_expected_value():
    model = ArmRegressor()
    distribution = model.predict_one({"bias": 1.0}, with_dist=True)
    assert (distribution.mu, distribution.sigma) == (0.5, pytest.approx((0.25 / 20) ** 0.5))


@pytest.mark.parametrize(("x", "y"), [({"a": float("nan")}, 1.0), ({"a": 1.0}, float("inf"))])
def test_what_would_poison_the_sums_is_refused(x, y):
    model = ArmRegressor()
    with pytest.raises(InvalidSetting, match="not finite"):
        model.learn_one(x, y)
    assert model.predict_one({"bias": 1.0}) == 0.5


def test_only_ask_and_skip_are_arms():
    learner = StrategyPolicy()
    with pytest.raises(InvalidSetting, match="'ask'"):
        learner.pull(["ask", "maybe"], {"bias": 1.0})
    with pytest.raises(InvalidSetting, match="'ask'"):
        learner.update("maybe", {"bias": 1.0}, 1.0)
