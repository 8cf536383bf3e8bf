"""What an action is worth, in units of 1/256. The receiver decides, never the client."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas.base import UNIT
from schemas.events import ACTION_KINDS, ActionKind

# `dismiss` is 0 for now: a negative reward would need sums that may fall, and an examination model that knows of it.
REWARDS: Mapping[ActionKind, int] = MappingProxyType(
    {
        "viewed": 0,
        "click": UNIT,
        "play": UNIT,
        "add_to_cart": 2 * UNIT,
        "purchase": 4 * UNIT,
        "like": 2 * UNIT,
        "dwell_10s": UNIT // 2,
        "dwell_60s": UNIT,
        "dismiss": 0,
        "other": 0,
    }
)


def rewards_by_kind() -> list[float]:
    """Rewards as real numbers in the order of ACTION_KINDS, as memory readers take them."""
    return [REWARDS[kind] / UNIT for kind in ACTION_KINDS]
