"""Experiments of a server, from what its command line says: `interleave:rrf:0.2`, `split:rrf:0.1`, `split:CONTENT_ID:0.05`."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from learners.definition import ArmSpec, Definition
from learners.policy import Policy
from schemas.errors import InvalidSetting
from schemas.snapshots import Content
from serving import view
from serving.experiments import Interleaved, Mix, Split

Mode = Literal["interleave", "split"]
RRF = "rrf"
DEFAULT_SHARE: dict[Mode, float] = {"interleave": 0.2, "split": 0.1}
LEARNING = frozenset({"memory", "neighbours", "xmr"})  # kinds of strategies that find what people chose: a mix with them learns, too
SHELF = frozenset({"popular", "fresh"})  # kinds that answer without a query; to one they add little but the same pages for all
_CONTENT = re.compile(r"[0-9a-f]{12,64}")


class TrialPlan(NamedTuple):
    """An experiment to run: on one page or by people, against the fixed mix or a version (its content id), on which share."""

    mode: Mode
    against: str
    share: float

    @property
    def name(self) -> str:
        """What it is logged and reported under: the same comparison has the same name whenever it runs, whatever its share.

        >>> TrialPlan("split", "rrf", 0.1).name
        'split_rrf'
        """
        return f"{self.mode}_{self.against[:12]}"


def parse_trial(text: str) -> TrialPlan:
    """MODE:AGAINST[:SHARE]. Raises InvalidSetting.

    >>> parse_trial("interleave:rrf")
    TrialPlan(mode='interleave', against='rrf', share=0.2)
    """
    named, _, rest = text.partition(":")
    against, _, share = rest.partition(":")
    mode = next((one for one in DEFAULT_SHARE if one == named), None)
    if mode is None:
        raise _refused(text, f"begins with {named!r}, must be interleave (both on one page) or split (some people get the other)")
    if against != RRF and not _CONTENT.fullmatch(against):
        raise _refused(text, f"compares with {against!r}, must be {RRF} (the fixed mix) or the id of a version, at least 12 digits of it")
    try:
        part = float(share) if share else DEFAULT_SHARE[mode]
    except ValueError:
        part = 0.0
    if not 0.0 < part < 1.0:
        raise _refused(text, f"has the share {share!r}, must be a part of the searches above 0 and below 1")
    return TrialPlan(mode, against, part)


def with_trial(plan: TrialPlan, *, content: Content | None = None) -> Callable[[Policy], view.Policy]:
    """What makes of a learned policy the one that serves: the policy, and beside it what it is compared with.

    `content` is the version to compare with, if the plan names one. Raises InvalidSetting when it is missing or another one.
    """
    given = content.content_id if content is not None else RRF
    if not given.startswith(plan.against):
        raise InvalidSetting(f"experiment {plan.name} compares with {plan.against}, got {given}; give that version")
    other = Policy(content, seq=0) if content is not None else None
    make = Interleaved if plan.mode == "interleave" else Split
    return lambda policy: make(plan.name, policy, other or fixed_mix(policy.definition), plan.share)


def fixed_mix(definition: Definition) -> Mix:
    """The fixed mix of a definition's strategies: what a search engine without learning would do with them. Raises InvalidSetting when
    all of them learn."""
    always = [ArmSpec.of(one.name, depth=one.depth) for one in definition.always]
    fixed = [arm for arm in (*definition.arms, *always) if arm.kind not in LEARNING]
    depths, queried = ({arm.name: arm.depth for arm in fixed if arm.kind not in without} for without in (frozenset[str](), SHELF))
    return Mix(RRF, queried or depths, shelf=depths)


def _refused(text: str, why: str) -> InvalidSetting:
    return InvalidSetting(f"experiment {text!r}: {why}; write interleave:{RRF}:0.2 or split:CONTENT_ID:0.1")
