"""Kinds of searches, as a policy tells them apart before anything is retrieved: how many words, and whether a digit is in them."""

from collections.abc import Mapping, Sequence

from learners.features import QUERY_CLASSES
from learners.policy import Policy
from schemas.candidates import Request

_WORD = "search"  # six letters: a usual word


def order_of(query_class: str) -> int:
    """Where a kind stands in a table: shorter searches first."""
    return QUERY_CLASSES.index(query_class) if query_class in QUERY_CLASSES else len(QUERY_CLASSES)


def typical(query_class: str) -> Request:
    """A search of that kind about which nothing is remembered: words of six letters, by somebody who has not searched before."""
    words = {"1": 1, "2": 2, "3": 3}.get(query_class.removesuffix("d"), 4)
    text = " ".join([_WORD] * words)
    text = f"{text[:-1]}1" if query_class.endswith("d") else text
    return Request(search_id="typical", ts=0, query=text, query_key=text, query_class=query_class)


def chances(policy: Policy, kinds: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Kind -> method -> chance of being asked for a typical search of that kind; methods that are always asked are not in it."""
    names = [arm.name for arm in policy.definition.arms]
    return {kind: policy.probabilities(typical(kind), available=names) for kind in kinds}
