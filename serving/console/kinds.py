"""Kinds of searches, as a policy tells them apart before anything is retrieved, and what a version decides and believes about each."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from learners.features import ARM_FEATURES, QUERY_CLASSES, as_reals, class_index
from learners.fit import fit
from learners.policy import Policy, arrays_of
from schemas.candidates import Request
from schemas.errors import ForageError
from schemas.snapshots import Content
from serving.backend import Backend

_WORD = "search"  # six letters: a usual word


class Belief(NamedTuple):
    """What a method is expected to earn in a search, alone and before its cost: mean and standard deviation of the posterior."""

    mean: float
    sd: float


def order_of(query_class: str) -> int:
    """Where a kind stands in a table: shorter searches first."""
    return QUERY_CLASSES.index(query_class) if query_class in QUERY_CLASSES else len(QUERY_CLASSES)


def typical(query_class: str) -> Request:
    """A search of that kind about which nothing is remembered: words of six letters, by somebody who has not searched before."""
    words = {"1": 1, "2": 2, "3": 3}.get(query_class.removesuffix("d"), 4)
    text = " ".join([_WORD] * words)
    text = f"{text[:-1]}1" if query_class.endswith("d") else text
    return Request(search_id="typical", ts=0, query=text, query_key=text, query_class=query_class)


def in_use(backend: Backend) -> Content | None:
    """The content that decides now; before anything is published the starting point. None for a policy that is not ours, and where the
    content cannot be read: pages then show what they know without it."""
    if versions := backend.versions():
        with suppress(ForageError):
            return backend.content(versions[-1].content_id)
        return None
    policy = backend.view().policy
    return fit(policy.definition, {}, 0) if isinstance(policy, Policy) else None


def chances(content: Content, kinds: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Kind -> method -> chance of being asked for a typical search of that kind; methods that are always asked are not in it."""
    policy = Policy(content, seq=0)
    names = [arm.name for arm in policy.definition.arms]
    return {kind: policy.probabilities(typical(kind), available=names) for kind in kinds}


def beliefs(content: Content, name: str, kinds: Sequence[str]) -> Mapping[str, Belief]:
    """Kind -> what the method is believed to earn in a typical search of that kind. Empty for a method that does not compete."""
    policy = Policy(content, seq=0)
    names = [arm.name for arm in policy.definition.arms]
    if name not in names:
        return {}
    arm = names.index(name)
    posteriors, records = arrays_of(content, arms=len(names))
    out = {}
    for kind in kinds:
        record = np.array([records[class_index(kind), arm]])
        phi = as_reals(ARM_FEATURES.matrix(typical(kind), records=record, known=0.0))[0]
        spread = float(posteriors.sigma2[arm] * (phi @ posteriors.covariance[arm] @ phi))
        out[kind] = Belief(float(phi @ posteriors.mean[arm]), spread**0.5)
    return out
