"""What strategies add to a prior is the prior's log-odds, whatever was found, whatever the weights."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.definition import ArmSpec, Definition, RankSpec
from learners.ranking.contributions import START, TRENDING, contributions
from learners.ranking.features import BY_STRATEGY, RankFeatures
from learners.ranking.posterior import Ranker
from learners.ranking.rank_model import priors
from schemas.candidates import Candidate, Request

NAMES = ("dense", "lexical", "popular")
WEIGHTS = st.none() | st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from([0.0, 0.25, 1.0])))
LISTS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.01, 50.0)), max_size=4), max_size=3)


def parts(given_weights, lists, seed):
    definition = Definition(arms=[ArmSpec.of(name) for name in (*NAMES, "memory")], rank=RankSpec(weights=given_weights))
    features = RankFeatures.of(definition)
    weights = np.random.default_rng(seed).normal(0.0, 0.5, 2 + len(features.names))
    found = {name: sorted((Candidate(*one) for one in some), key=lambda one: -one.score) for name, some in lists.items()}
    ranker = Ranker(definition, weights)
    return definition, features, weights, ranker, ranker.rank(Request("s", 0, "q", "q"), found, memory=None)


@given(WEIGHTS, LISTS, st.integers(0, 99))
def test_rows_sum_to_the_log_odds_of_the_prior(given_weights, lists, seed):
    definition, features, weights, ranker, ranked = parts(given_weights, lists, seed)
    for one in ranked:
        account = ranker.account(one)
        assert [row.name for row in account.rows] == [START, *NAMES, TRENDING]
        assert sum(row.points for row in account.rows) == pytest.approx(log(one.prior / (1.0 - one.prior)), abs=1e-6)
        assert one.prior == pytest.approx(float(priors(np.array([one.features]), weights, definition, features)[0]))
        not_asked = set(NAMES) - lists.keys()
        assert all(row.points == 0.0 for row in account.rows if row.name in not_asked)


def test_a_strategy_that_missed_may_take_away():
    definition, features, weights, _, ranked = parts(None, {"lexical": [("a", 2.0)], "dense": [("b", 1.0)]}, 1)
    weights[:] = 0.0
    weights[2 + NAMES.index("dense") * len(BY_STRATEGY)] = -1.5  # dense.missed
    one = next(one for one in ranked if one.entity_id == "a")
    rows = {row.name: row.points for row in contributions(one.features, weights, definition, features)}
    assert rows == {START: 0.0, "dense": -1.5, "lexical": 0.0, "popular": 0.0, TRENDING: 0.0}
