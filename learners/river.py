"""River's side of the arm models, for the worker role: the same sums behind River's interfaces.

Feeding outcomes to these learners or to the kernel's tallies gives the same posterior, so River's evaluators, metrics and drift
detectors can be run on our log. River's own bandits are not used: none reports a propensity.
"""

from random import Random
from typing import Any

import numpy as np
from river import bandit, base, proba

from learners.selection.arm import OWN_WEIGHT, PRIOR_CREDIT, RIDGE, Posteriors, Sums, fit_arms
from learners.selection.selector import within
from learners.selection.thompson import normal_cdf
from schemas.errors import InvalidSetting

BIAS = "bias"
ASK, SKIP = "ask", "skip"
Context = dict[base.typing.FeatureName, Any]


class ArmRegressor(base.Regressor):  # type: ignore[misc]  # river has no types that mypy may follow
    """Bayesian linear regression from sums (see selection.arm), for features by name.

    At weight 1 and mean 0 its mean is that of `linear_model.BayesianLinearRegression(alpha=1, beta=1)`. A feature that is absent counts
    as 0. Only the feature named "bias" has a prior mean.

    Parameters
    ----------
    weight
        What the prior counts, in observations.
    mean
        Prior weight of the feature "bias".
    own
        Observations after which the prior weight is half `mean`, half the mean of y itself; None: it stays `mean`.

    Examples
    --------

    >>> model = ArmRegressor(weight=1.0, mean=0.0)
    >>> model.learn_one({"bias": 1.0}, 1.0)
    >>> model.predict_one({"bias": 1.0})
    0.5

    References
    ----------
    [^1]: Bishop, Pattern Recognition and Machine Learning, 3.3

    """

    def __init__(self, weight: float = RIDGE, mean: float = PRIOR_CREDIT, own: float | None = None):
        self.weight = weight
        self.mean = mean
        self.own = own
        self._index: dict[base.typing.FeatureName, int] = {BIAS: 0}
        self._n, self._y, self._yy = 0.0, 0.0, 0.0
        self._xy = np.zeros(1)
        self._xx = np.zeros((1, 1))
        self._fitted: Posteriors | None = None

    def learn_one(self, x: Context, y: base.typing.RegTarget) -> None:
        """Add one observation. Raises InvalidSetting for a value that is not finite: one NaN would stay in the sums for ever."""
        values = np.array([float(value) for value in x.values()])
        if not (np.isfinite(values).all() and np.isfinite(y)):
            raise InvalidSetting(f"observation {x} -> {y} is not finite; leave it out or impute it before learning")
        for name in x:
            self._index.setdefault(name, len(self._index))
        if (grow := len(self._index) - len(self._xy)) > 0:
            self._xy, self._xx = np.pad(self._xy, (0, grow)), np.pad(self._xx, (0, grow))
        at = [self._index[name] for name in x]
        self._n, self._y, self._yy = self._n + 1.0, self._y + y, self._yy + y * y
        self._xy[at] += y * values
        self._xx[np.ix_(at, at)] += np.outer(values, values)
        self._fitted = None

    def predict_one(self, x: Context, with_dist: bool = False) -> Any:
        """The expected y, or with `with_dist` its posterior as a Gaussian (of the mean, without the noise of one observation)."""
        vector = self.vector(x)
        expected = float(self.posterior().mean[0] @ vector)
        return proba.Gaussian._from_state(n=1, m=expected, var=self.sd(x) ** 2, ddof=0) if with_dist else expected

    def sd(self, x: Context) -> float:
        """Standard deviation of the expected y: sigma sqrt(x' A^-1 x)."""
        fitted, vector = self.posterior(), self.vector(x)
        return float(np.sqrt(fitted.sigma2[0] * (vector @ fitted.covariance[0] @ vector)))

    def posterior(self) -> Posteriors:
        """The posterior over `names()`, arrays with a leading axis of 1."""
        if self._fitted is None:
            sums = Sums(*(np.array([one]) for one in (self._n, self._y, self._yy, self._xy, self._xx)))
            start = self.mean if self.own is None else (self._y + self.own * self.mean) / (self._n + self.own)
            self._fitted = fit_arms(sums, weight=self.weight, mean_credit=start)
        return self._fitted

    def names(self) -> list[base.typing.FeatureName]:
        """Features in the order of the posterior."""
        return list(self._index)

    def vector(self, x: Context) -> Any:
        """x in the order of the posterior; features never learned are left out."""
        vector = np.zeros(len(self._index))
        for name, value in x.items():
            if (at := self._index.get(name)) is not None:
                vector[at] = value
        return vector


class StrategyPolicy(bandit.base.ContextualPolicy):  # type: ignore[misc]  # as above
    """One strategy as a contextual bandit with the arms "ask" and "skip".

    `pull(["ask", "skip"], context)` asks with the probability of selection.thompson; `update("ask", context, reward)` learns what
    asking earned. Skipping earns nothing and teaches nothing.

    Parameters
    ----------
    cost
        What asking costs, in reward units.
    floor
        Both arms are pulled at least this often.
    weight
        What the prior counts, in searches.
    mean
        The credit that an untried strategy is expected to earn.
    seed
        Seed of the draws.

    """

    def __init__(self, cost: float = 0.02, floor: float = 0.02, weight: float = RIDGE, mean: float = PRIOR_CREDIT, seed: int | None = None):
        super().__init__()
        self.cost = cost
        self.floor = floor
        self.weight = weight
        self.mean = mean
        self.seed = seed
        self.regressor = ArmRegressor(weight, mean, own=OWN_WEIGHT)
        self._rng = Random(seed)

    def probability(self, context: Context) -> float:
        """The probability of "ask" in this context."""
        surplus = self.regressor.predict_one(context) - self.cost
        return float(within(normal_cdf([surplus / max(self.regressor.sd(context), 1e-12)]), self.floor)[0])

    def _pull(self, arm_ids: list[bandit.base.ArmID], context: Context) -> bandit.base.ArmID:
        if unknown := set(arm_ids) - {ASK, SKIP}:
            raise InvalidSetting(f"{sorted(map(str, unknown))} are no arms of a strategy; pull from ['ask', 'skip']")
        if len(arm_ids) == 1:
            return arm_ids[0]
        return ASK if self._rng.random() < self.probability(context) else SKIP

    def update(self, arm_id: bandit.base.ArmID, context: Context, *reward_args: float, **reward_kwargs: float) -> None:
        if arm_id not in (ASK, SKIP):
            raise InvalidSetting(f"{arm_id!r} is no arm of a strategy; update 'ask' or 'skip'")
        super().update(arm_id, context, *reward_args, **reward_kwargs)
        if arm_id == ASK:
            self.regressor.learn_one(context, reward_args[0] if reward_args else reward_kwargs["reward"])
