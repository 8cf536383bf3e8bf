"""The erasures of one partition, and how far each is done: rows of the table `erased`. All times are record times in ms.

An erasure is accepted at a moment of the partition's log. Searches of the person that began until then were counted, and are taken away
when their window has passed; those that begin later, and not after `until`, are never counted. So each is dealt with once, whatever the
owners did before.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.kernel.erased import Span
from streams.kernel.join import Search
from streams.kernel.kernel import Kernel

NEVER, ALL = -1, 2**62  # of `through`
Statement = tuple[str, Sequence[object]]


class Erasing(NamedTuple):
    """One erasure of one person. Searches with since < t0 <= limit were counted here: of these, those whose window ended before
    `through` are taken away. `since`: until when an earlier erasure of the same person cares for what they did.

    `seq` is the last transaction that took something away; `searches` how many it were in all; `before` the begin of the outcomes that were
    looked at, 0 when all there ever were; `done`: nothing of it is left, in the file and in the state store.
    """

    client: int
    since: int
    until: int
    after: int
    through: int
    seq: int
    searches: int
    before: int
    done: bool

    @property
    def limit(self) -> int:
        return min(self.until, self.after)


def accepted(client: int, until: int, *, known: Iterable[Erasing], kernel: Kernel) -> Erasing | None:
    """The erasure as of now, None when a known one covers it. What was counted until now is told by time alone: a search that began in
    this very millisecond is open, since its window has not passed."""
    since = max((one.until for one in known if one.client == client), default=-1)
    if until <= since:
        return None
    now = kernel.clock.times["impressions"]
    after = now if any(search.t0 == now for search in open_of(client, kernel)) else now - 1
    one = Erasing(client, since, until, after, NEVER, 0, 0, 0, False)
    return one if one.limit > since and now > 0 else one._replace(through=ALL)


def due(erasings: Iterable[Erasing], kernel: Kernel) -> list[Erasing]:
    """Those for which the outcomes have to be looked through now: once at once, and once more when the last window has passed."""
    passed = kernel.clock.watermark - kernel.rules.window
    return [one for one in erasings if not one.done and (one.through == NEVER or (one.through != ALL and passed > one.limit))]


def settled(one: Erasing, kernel: Kernel, watermark: int) -> bool:
    """Were all searches of the person taken away that had passed their window at `watermark`, and are no others open?"""
    if watermark - kernel.rules.window > one.limit:
        return True
    return kernel.clock.watermark > one.limit and not any(one.since < search.t0 <= one.limit for search in open_of(one.client, kernel))


def open_of(client: int, kernel: Kernel) -> Iterable[Search]:
    """Searches of the person whose window has not passed."""
    return (search for some in kernel.searches.open.values() for search in some if search.client == client)


def spans(erasings: Iterable[Erasing]) -> dict[int, list[Span]]:
    """What the kernel has to know."""
    out: dict[int, list[Span]] = {}
    for one in erasings:
        out.setdefault(one.client, []).append(Span(max(one.after, one.since), one.until))
    return out


def saved(one: Erasing) -> list[Statement]:
    """Put the row in the place of its earlier self."""
    places = ", ".join("?" * len(one))
    earlier: Statement = ("DELETE FROM erased WHERE client = ? AND until = ?", [one.client, one.until])
    return [earlier, (f"INSERT INTO erased VALUES ({places})", [*one])]
