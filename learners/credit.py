"""Who gets the credit for a rewarded entity: the arm that alone found it, else nobody (marginal credit).

Asking a second strategy that finds the same entity changed nothing on the page, so it earned nothing; that is what makes
a policy ask few strategies at equal quality.
"""

from collections.abc import Mapping

from schemas.base import UNIT

MAX_CREDIT = 16 * UNIT  # per search and arm: bounds what one session can teach

Found = Mapping[str, Mapping[str, int]]  # entity -> asked strategy that found it -> its rank there


def marginal_credit(found: Found, rewards: Mapping[str, int]) -> dict[str, int]:
    """Credit per strategy in units of 1/256: the reward of each entity that it alone found, at most MAX_CREDIT.

    >>> marginal_credit({"a": {"lexical": 1}, "b": {"lexical": 2, "memory": 1}}, {"a": 256, "b": 256})
    {'lexical': 256}
    """
    credit: dict[str, int] = {}
    for entity, reward in rewards.items():
        by = found.get(entity, {})
        if len(by) == 1 and reward:
            strategy = next(iter(by))
            credit[strategy] = min(MAX_CREDIT, credit.get(strategy, 0) + reward)
    return credit
