"""What changed from one version to another: differences alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from display.numbers import plural
from display.words import method
from schemas.errors import ForageError
from schemas.snapshots import Content
from serving.console.kinds import chances

KINDS = ("1", "2", "3", "many", "1d", "2d")  # whose chances are compared
MOVED = 0.05  # chances that differ by less are the same to a reader


Named = tuple[int, str]  # number and content_id of a version


@dataclass(frozen=True)
class Change:
    """One difference between two versions, in words; numbers are chances of being asked or settings."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """What changed from one version to another. `problem`: why it cannot be said, "" where it can."""

    before: int
    after: int
    changes: Sequence[Change] = ()
    problem: str = ""

    @property
    def sentence(self) -> str:
        if self.problem:
            return self.problem
        if not self.changes:
            return f"Version {self.after} decides like version {self.before}: no chance moved by 5 points or more, no setting changed."
        return f"From version {self.before} to version {self.after}: {plural(len(self.changes), 'difference')}."


def difference(before: Named, after: Named, *, content: Callable[[str], Content]) -> Difference:
    """What changed between two versions, each given by number and content_id."""
    try:
        old, new = content(before[1]), content(after[1])
        changes = [*_methods(old, new), *_moved(old, new), *_settings(old, new), *_models(old, new)]
    except ForageError as error:
        return Difference(before[0], after[0], problem=f"The two cannot be compared: {error}.")
    return Difference(before[0], after[0], changes)


def _methods(old: Content, new: Content) -> list[Change]:
    one, two = _strategies(old), _strategies(new)
    return [
        Change(method(name).label, one.get(name, "not there"), two.get(name, "not there"))
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name)
    ]


def _strategies(content: Content) -> dict[str, str]:
    policy = content.definition["policy"]
    return {one["name"]: "learning" for one in policy["arms"]} | {one["name"]: "always asked" for one in policy.get("always", ())}


def _moved(old: Content, new: Content) -> list[Change]:
    """Chances of a method over the kinds of searches for which they moved: from the least to the greatest. The most moved method first."""
    one, two = (chances(content, KINDS) for content in (old, new))
    out = []
    for name in one[KINDS[0]].keys() & two[KINDS[0]].keys():
        pairs = [(one[kind][name], two[kind][name]) for kind in KINDS]
        moved = [(p, now) for p, now in pairs if abs(p - now) >= MOVED]
        if moved:
            change = Change(f"{method(name).label}: chance of being asked", _span([p for p, _ in moved]), _span([now for _, now in moved]))
            out.append((-max(abs(p - now) for p, now in moved), name, change))
    return [change for _, _, change in sorted(out)]


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _settings(old: Content, new: Content) -> list[Change]:
    one, two = (_flat(content.definition["policy"]) for content in (old, new))
    return [
        Change(f"Setting {name}", one.get(name, "—"), two.get(name, "—"))
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name) and not name.startswith(("arms.", "always."))
    ]


def _flat(plain: Mapping[str, Any], under: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{under}{name}.")
        elif not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            out[f"{under}{name}"] = str(value)
    return out


_MODELS = {
    "rank.weights": "How what was found is put in order",
    "examination.theta": "Chance of being seen at each place",
    "draw.plan": "How many results each method gives",
}


def _models(old: Content, new: Content) -> list[Change]:
    """Models that were fitted anew, by name alone: their numbers say nothing to a reader."""
    out = []
    for name in sorted(old.arrays.keys() | new.arrays.keys()):
        one, two = old.arrays.get(name), new.arrays.get(name)
        if name in _MODELS and (one is None or two is None or one.sha256 != two.sha256):
            out.append(Change(_MODELS[name], "—" if one is None else "as it was", "learned anew" if two else "—"))
    return out
