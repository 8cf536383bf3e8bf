"""Who gets the credit for a rewarded entity: the arm that alone found it, else nobody (marginal credit).

Asking a second strategy that finds the same entity changed nothing on the page, so it earned nothing; that is what makes
a policy ask few strategies at equal quality.
"""

from collections.abc import Callable, Mapping

from schemas.base import UNIT

PAGE = 10  # ranks of a list that reach a page by their own strength
MAX_CREDIT = 16 * UNIT  # per search and arm: bounds what one session can teach

Found = Mapping[str, Mapping[str, int]]  # entity -> asked strategy that found it -> its rank there
Credit = Callable[[Found, Mapping[str, int]], dict[str, int]]


def marginal_credit(found: Found, rewards: Mapping[str, int]) -> dict[str, int]:
    """Credit per strategy in units of 1/256: the reward of each entity that it alone found within PAGE, at most MAX_CREDIT.

    An entity that nobody found so high belongs to whoever alone found it at all: far down two lists, either one brings it to the page
    hardly, and a list of 50 finds nearly everything that any other finds.

    >>> marginal_credit({"a": {"lexical": 1}, "b": {"lexical": 2, "memory": 1}}, {"a": 256, "b": 256})
    {'lexical': 256}
    """
    credit: dict[str, int] = {}
    for entity, reward in rewards.items():
        by = found.get(entity, {})
        near = [strategy for strategy, rank in by.items() if rank <= PAGE] or list(by)
        if len(near) == 1 and reward:
            strategy = near[0]
            credit[strategy] = min(MAX_CREDIT, credit.get(strategy, 0) + reward)
    return credit


def shared_credit(found: Found, rewards: Mapping[str, int]) -> dict[str, int]:
    """Credit per strategy where the finders of an entity share its reward evenly (1/m each, rounded down): for comparison only, as it
    pays a strategy for what the page would have had without it.

    >>> shared_credit({"b": {"lexical": 2, "memory": 1}}, {"b": 256})
    {'lexical': 128, 'memory': 128}
    """
    credit: dict[str, int] = {}
    for entity, reward in rewards.items():
        by = found.get(entity, {})
        for strategy in by:
            credit[strategy] = min(MAX_CREDIT, credit.get(strategy, 0) + reward // len(by))
    return {strategy: sum_ for strategy, sum_ in credit.items() if sum_}
