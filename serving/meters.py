"""What is read from the sums of `serving.live`: plain figures of a time.

Times are kept in bins that are an eighth of an octave wide, so one that is read from them is within 5 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import floor, log2

MINUTE = 60_000  # ms
UNIT = 1_000_000  # chances are added in millionths, so that sums are whole
_OCTAVE, _FASTEST, _SLOWEST = 8, 2.0**-6, 2.0**20  # bins an octave; ms

Key = tuple[str, str, str | int]  # (what, of which, detail)
Sums = dict[Key, int]
Spans = Mapping[tuple[str, str], tuple[float, float]]  # (strategy, query class) -> (least, most) chance


@dataclass(frozen=True)
class Times:
    """Milliseconds that 50, 95 and 99 % of `count` did not exceed."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Chance:
    """The chance of being asked, over `count` searches in which it was available."""

    count: int
    least: float
    mean: float
    most: float


@dataclass(frozen=True)
class Method:
    """One strategy. `asked`, `late`, `failed`: searches; `returned`: candidates; `places`: results of pages that it found, `only`: that
    nothing else found; `always`: searches that asked it without a draw; `chances` by query class; `ms` of what was asked, late included."""

    asked: int
    returned: int
    late: int
    failed: int
    always: int
    places: int
    only: int
    ms: Times | None
    chances: Mapping[str, Chance]


@dataclass(frozen=True)
class Meters:
    """Some minutes of this process. `ms` None: nothing was answered.

    `searches` are first pages; `empty`: of those, pages without a result. `refused` and `actions` by kind. `places`: results shown on the
    pages that `methods` are about: by slots of ten minutes, the one in which the time begins included. `newest`: search texts, the newest
    first, each searched by two clients or more.
    """

    searches: int
    empty: int
    refused: Mapping[str, int]
    actions: Mapping[str, int]
    ms: Times | None
    places: int
    methods: Mapping[str, Method]
    newest: Sequence[str]


def bin_of(ms: float) -> int:
    """The bin of a time."""
    return floor(_OCTAVE * log2(min(max(ms, _FASTEST), _SLOWEST)))


def middle(number: int) -> float:
    """The milliseconds in the middle of a bin."""
    return float(2.0 ** ((number + 0.5) / _OCTAVE))


def times(sums: Mapping[Key, int], name: str = "") -> Times | None:
    """Of one strategy, or of the service."""
    bins = sorted((int(detail), count) for (what, of, detail), count in sums.items() if what == "ms" and of == name)
    total = sum(count for _, count in bins)
    if not total:
        return None

    def at(share: float) -> float:
        reached = accumulate(count for _, count in bins)
        number = next(number for (number, _), seen in zip(bins, reached, strict=True) if seen >= share * total)
        return middle(number)

    return Times(total, at(0.5), at(0.95), at(0.99))


def total(slots: Iterable[Sums]) -> Sums:
    """The sums of all slots."""
    out: Sums = {}
    for sums in slots:
        for key, count in sums.items():
            out[key] = out.get(key, 0) + count
    return out


def by_kind(sums: Sums, what: str) -> dict[str, int]:
    """Counts of a thing by its kind."""
    return {name: count for (kind, name, _), count in sorted(sums.items(), key=str) if kind == what}


def methods(sums: Sums, spans: Spans) -> dict[str, Method]:
    """Every strategy that was offered, asked or shown, by name."""
    names = sorted({name for _, name, _ in sums if name})
    return {name: _method(name, sums, spans) for name in names}


def _method(name: str, sums: Sums, spans: Spans) -> Method:
    def count(what: str) -> int:
        return sums.get((what, name, ""), 0)

    chances = {}
    for one, kind in sorted(spans):
        if one == name:
            offered = sums["offered", name, kind]
            least, most = spans[name, kind]
            chances[kind] = Chance(offered, least, sums["chance", name, kind] / offered / UNIT, most)
    return Method(
        asked=count("asked"),
        returned=count("returned"),
        late=count("late"),
        failed=count("failed"),
        always=count("always"),
        places=count("places"),
        only=count("only"),
        ms=times(sums, name),
        chances=chances,
    )
