"""The steps of an erasure on one partition, each a transaction that a crash leaves done or undone: accept, look through the outcomes,
take away, and, when everything was sent, purge. `Owner` (streams.faust_app) and the tests call them in this order."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from memory_index import shares
from schemas.codec import encode
from schemas.erasures import Erased, done_key
from schemas.errors import InvalidMessage
from schemas.ids import key_mark
from schemas.rows import MemoryKey
from schemas.topics import ERASURES, OUTCOMES
from streams.erasing.erasing import ALL, Erasing, accepted, due, saved, settled, spans
from streams.erasing.finding import Finder, Found
from streams.erasing.taking import memory_keys, taken_away, tally_keys
from streams.kernel.changes import Changes, Outgoing
from streams.kernel.erased import ErasedPeople
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.partition_store import PartitionStore


class Task(NamedTuple):
    """What has to be looked for, and the outcomes that are not on the topic yet."""

    due: Sequence[Erasing]
    known: Sequence[Erasing]
    watermark: int
    began: int
    full: Sequence[MemoryKey]
    waiting: Sequence[bytes]
    settled: frozenset[tuple[int, int]]  # (client, until) of whom nothing was open at `watermark`: what closes later was not looked for


def accept(store: PartitionStore, kernel: Kernel, requests: Mapping[int, int]) -> list[Outgoing]:
    """Take note of erasures (keyed hash -> until) between two batches: from the next one on the kernel counts nothing of theirs. There is
    nothing to be sent for it."""
    known = store.erasings()
    new = accepted(requests, known=known, kernel=kernel)
    if not new:
        return []
    store.commit(_changes(kernel), also=saved(new))
    kernel.erased = ErasedPeople(kernel.rules, spans([*known, *new]))
    return []


def task(store: PartitionStore, kernel: Kernel) -> Task | None:
    """What is due now, if anything is. To be asked when all of the outbox before `store.last_sent()` is on the topic, as it always is."""
    if not (now_due := due(store.erasings(busy=True), kernel)):
        return None
    waiting = [out.value for _, out in store.outbox(store.last_sent()) if out.topic == OUTCOMES.name and out.value is not None]
    watermark, full = kernel.clock.watermark, store.full_rows([one.client for one in now_due])
    over = frozenset((one.client, one.until) for one in now_due if settled(one, kernel, watermark))
    return Task(now_due, store.erasings(), watermark, store.began(), full, waiting, over)


def look(given: Task, values: Iterable[bytes], rules: Rules) -> Found:
    """Go through the outcomes of the partition, from the begin of their topic to its end as of now or later. In any thread."""
    finder = Finder(given.due, rules, known=given.known, watermark=given.watermark, began=given.began, full=given.full)
    for value in chain(values, given.waiting):
        try:
            finder.take(value)
        except InvalidMessage:  # nothing that the kernel said
            continue
    return finder.found()


def take_away(store: PartitionStore, kernel: Kernel, given: Task, found: Found, *, now: int) -> list[Outgoing]:
    """Subtract what was found. Returns what is to be sent beside the rows that changed; it is in the store's outbox."""
    newest = store.newest_hour()
    rows = shares.as_counts(store.memory_rows(memory_keys(found)))
    tallies = store.tally_rows(tally_keys(found, newest)).keys()
    open_ = (search for some in kernel.searches.open.values() for search in some)
    changes, statements = taken_away(found, rows, tallies, newest=newest, open_=open_)
    many: dict[int, int] = {}
    for client, _ in found.searches:
        many[client] = many.get(client, 0) + 1
    after = [
        one._replace(
            through=ALL if (one.client, one.until) in given.settled else given.watermark, seq=store.seq + 1,
            searches=one.searches + many.get(one.client, 0), before=max(one.before, found.begin),
        )
        for one in given.due
    ]  # fmt: skip
    told = [_told(kernel, one, now) for one in after]
    store.commit(_changes(kernel, told, changes), also=[*statements, *saved(after)])
    return told


def ready(store: PartitionStore, now: int) -> list[Erasing]:
    """Erasures of which only traces are left: everything was taken away, and the rows that changed need not be sent again."""
    resent = store.resend_from(now)
    return [one for one in store.erasings(busy=True) if one.through == ALL and one.seq <= resent]


def finish(store: PartitionStore, kernel: Kernel, some: Sequence[Erasing], *, now: int) -> list[Outgoing]:
    """The file was purged, and older copies of it are gone: these are done."""
    done = [one._replace(done=True) for one in some]
    told = [_told(kernel, one, now) for one in done]
    store.commit(_changes(kernel, told), also=saved(done))
    return told


def _changes(kernel: Kernel, told: Sequence[Outgoing] = (), changes: Changes | None = None) -> Changes:
    """Changes of a transaction without records."""
    changes = changes or Changes()
    changes.outgoing.extend(told)
    changes.next, changes.times = dict(kernel.next), dict(kernel.clock.times)
    return changes


def _told(kernel: Kernel, one: Erasing, now: int) -> Outgoing:
    client, by, key = f"{one.client:016x}", str(kernel.partition), key_mark(kernel.rules.client_key)
    said = Erased(client=client, until=one.until, by=by, at=now, key=key, searches=one.searches, waiting=not one.done, before=one.before)
    return Outgoing(ERASURES.name, 0, done_key(by, client), encode(said), now)
