"""The erasures of one partition, and how far each is done: rows of the table `erased`. All times are record times in ms.

An erasure is accepted at a moment of the partition's log. Searches of the person that began until then were counted; those that are from
before `until` are taken away when their window has passed. Those that begin later, and are from before `until` (streams.kernel.erased), are
never counted. So each is dealt with once, whatever the owners did before.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.kernel.erased import Span
from streams.kernel.kernel import Kernel
from streams.kernel.search import Search

NEVER, ALL = -1, 2**62  # of `through`
Statement = tuple[str, Sequence[object]]


class Erasing(NamedTuple):
    """One erasure of one person: of searches from since < min(t0, ts) <= until, those with t0 <= after were counted here, and of these
    those whose window ended before `through` are taken away. `since`: until when an earlier erasure of the same person cares.

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

    def means(self, t0: int, ts: int) -> bool:
        """Is it for this erasure to deal with a search of that begin?"""
        return self.since < min(t0, ts) <= self.until


def accepted(requests: Mapping[int, int], *, known: Iterable[Erasing], kernel: Kernel) -> list[Erasing]:
    """Those erasures (client -> until) that no known one covers, as of now. What was counted until now is told by time alone: a search that
    began in this very millisecond is open, since its window has not passed."""
    covered: dict[int, int] = {}
    for one in known:
        covered[one.client] = max(one.until, covered.get(one.client, -1))
    now = kernel.clock.times["impressions"]
    new = {client: until for client, until in requests.items() if until > covered.get(client, -1)}
    busy = {search.client for some in kernel.searches.open.values() for search in some if search.t0 == now} if new else set()
    out = []
    for client, until in sorted(new.items()):
        one = Erasing(client, covered.get(client, -1), until, now if client in busy else now - 1, NEVER, 0, 0, 0, False)
        nothing = one.after <= one.since or not now  # an empty state: what comes is not counted
        out.append(one._replace(through=ALL) if nothing else one)
    return out


def due(erasings: Iterable[Erasing], kernel: Kernel) -> list[Erasing]:
    """Those for which the outcomes have to be looked through now: once at once, and once more when the last window has passed."""
    passed = kernel.clock.watermark - kernel.rules.window
    return [one for one in erasings if not one.done and (one.through == NEVER or (one.through != ALL and passed > one.after))]


def settled(one: Erasing, kernel: Kernel, watermark: int) -> bool:
    """Were all searches of the person taken away that had passed their window at `watermark`, and are no others open?"""
    if watermark - kernel.rules.window > one.after:
        return True
    theirs = (search for search in open_of(one.client, kernel) if search.t0 <= one.after and one.means(search.t0, search.ts))
    return kernel.clock.watermark > one.after and next(theirs, None) is None


def open_of(client: int, kernel: Kernel) -> Iterable[Search]:
    """Searches of the person whose window has not passed."""
    return (search for some in kernel.searches.open.values() for search in some if search.client == client)


def spans(erasings: Iterable[Erasing]) -> dict[int, list[Span]]:
    """What the kernel has to know."""
    out: dict[int, list[Span]] = {}
    for one in erasings:
        out.setdefault(one.client, []).append(Span(one.after, one.until))
    return out


def saved(some: Sequence[Erasing]) -> list[Statement]:
    """Put rows in the place of their earlier selves."""
    if not some:
        return []
    columns = [list(column) for column in zip(*some, strict=True)]
    types = ["BIGINT"] * (len(columns) - 1) + ["BOOLEAN"]
    same = "(SELECT unnest(?::BIGINT[]) AS c, unnest(?::BIGINT[]) AS u) AS same WHERE client = same.c AND until = same.u"
    values = ", ".join(f"unnest(?::{kind}[])" for kind in types)
    return [(f"DELETE FROM erased USING {same}", [columns[0], columns[2]]), (f"INSERT INTO erased SELECT {values}", columns)]
