"""What this process has answered lately: sums of facts by time. The service is kept by the minute, its methods by ten minutes: a day of
both takes some megabytes.
"""

from collections.abc import Callable, Iterable
from threading import Lock

from schemas.decisions import Always, Arm
from schemas.events import Action
from serving import meters
from serving.meters import MINUTE, UNIT, Key, Meters, Sums
from serving.pipeline import Page
from serving.texts import Texts

DAY = 1_440  # minutes that are kept
SLOT = 10 * MINUTE  # ms
NEWEST = 20  # search texts that are told


class Live:
    """Counts; any thread. `clock` is the wall clock in ms."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock, self._lock = clock, Lock()
        self._service, self._methods = _Ring(MINUTE, DAY), _Ring(SLOT, DAY * MINUTE // SLOT + 1)
        self._texts = Texts()

    def searched(self, page: Page, *, ms: float, counted: bool) -> None:
        """A page was answered after `ms` in all. One that is not `counted` is a try of the console: it stands in nothing."""
        if not counted:
            return
        now = self._clock()
        impression = page.impression
        first = impression.page == 1
        empty = first and not impression.results
        service: list[tuple[Key, int]] = [
            (("searches", "", ""), int(first)),
            (("empty", "", ""), int(empty)),
            (("ms", "", meters.bin_of(ms)), 1),
        ]
        methods = [*_shown(page), *(_ran(page) if first else ())]
        chances = _chances(page) if first else []
        with self._lock:
            self._service.add(now, service)
            self._methods.add(now, methods, chances)
            self._texts.searched(impression.query.key or impression.query.text, impression.query.text, client_id=impression.client_id)

    def acted(self, action: Action) -> None:
        """An action was taken."""
        self._add(self._clock(), [(("action", action.kind, ""), 1)])

    def refused(self, kind: str) -> None:
        """A request was refused, or failed; `kind` is the error's code."""
        self._add(self._clock(), [(("refused", kind, ""), 1)])

    def read(self, minutes: int = DAY) -> Meters:
        """What was counted in the last `minutes` (at most a day), the one that runs included."""
        now = self._clock()
        minutes = max(1, min(minutes, DAY))
        begin = now // MINUTE * MINUTE - (minutes - 1) * MINUTE
        with self._lock:
            service, methods = self._service.since(begin), self._methods.since(begin)
            spans = self._methods.spans(begin)
            newest = self._texts.newest(NEWEST)
        all_of, of_methods = meters.total(service.values()), meters.total(methods.values())
        return Meters(
            searches=all_of.get(("searches", "", ""), 0),
            empty=all_of.get(("empty", "", ""), 0),
            refused=meters.by_kind(all_of, "refused"),
            actions=meters.by_kind(all_of, "action"),
            ms=meters.times(all_of),
            places=of_methods.get(("places", "", ""), 0),
            methods=meters.methods(of_methods, spans),
            newest=newest,
        )

    def totals(self) -> Sums:
        """Everything since this process began, by (what, of which, detail): for metrics, whose readers take differences."""
        with self._lock:
            return self._service.total | self._methods.total

    def _add(self, now: int, facts: Iterable[tuple[Key, int]]) -> None:
        with self._lock:
            self._service.add(now, facts)


class _Ring:
    """Sums by slots of `width` ms; the newest `length` slots are kept."""

    def __init__(self, width: int, length: int) -> None:
        self._width, self._length = width, length
        self.total: Sums = {}  # over all slots there ever were
        self._slots: dict[int, tuple[Sums, dict[tuple[str, str], tuple[float, float]]]] = {}

    def add(self, now: int, facts: Iterable[tuple[Key, int]], chances: Iterable[tuple[str, str, float]] = ()) -> None:
        at = now // self._width * self._width
        sums, spans = self._slots.setdefault(at, ({}, {}))
        for key, count in facts:
            if count:
                sums[key] = sums.get(key, 0) + count
                self.total[key] = self.total.get(key, 0) + count
        for name, kind, p in chances:
            sums["offered", name, kind] = sums.get(("offered", name, kind), 0) + 1
            sums["chance", name, kind] = sums.get(("chance", name, kind), 0) + round(p * UNIT)
            least, most = spans.get((name, kind), (p, p))
            spans[name, kind] = min(least, p), max(most, p)
        while len(self._slots) > self._length:
            del self._slots[min(self._slots)]

    def since(self, begin: int) -> dict[int, Sums]:
        """Copies of the sums by the beginning of their slot, those in which `begin` lies and later ones."""
        return {at: dict(sums) for at, (sums, _) in self._slots.items() if at + self._width > begin}

    def spans(self, begin: int) -> dict[tuple[str, str], tuple[float, float]]:
        """(least, most) chance by (strategy, query class), over the same slots."""
        out: dict[tuple[str, str], tuple[float, float]] = {}
        for at, (_, spans) in self._slots.items():
            for key, (least, most) in spans.items() if at + self._width > begin else ():
                low, high = out.get(key, (least, most))
                out[key] = min(low, least), max(high, most)
        return out


def _shown(page: Page) -> Iterable[tuple[Key, int]]:
    """Who found the results of a page."""
    results = page.impression.results
    yield ("places", "", ""), len(results)
    for result in results:
        for source in result.sources:
            yield ("places", source.strategy, ""), 1
        if len(result.sources) == 1:
            yield ("only", result.sources[0].strategy, ""), 1


def _ran(page: Page) -> Iterable[tuple[Key, int]]:
    """What came of asking. Later pages repeat the decision of the first, and what came of it: they are left out."""
    decision = page.impression.decision
    if decision is None:
        return
    ran: list[Arm | Always] = [*decision.always, *(arm for arm in decision.arms if arm.asked)]
    for one in ran:
        yield ("asked", one.name, ""), 1
        yield ("returned", one.name, ""), one.returned
        yield ("ms", one.name, meters.bin_of(one.ms)), 1
        yield (one.status, one.name, ""), 1
    for one in decision.always:
        yield ("always", one.name, ""), 1


def _chances(page: Page) -> list[tuple[str, str, float]]:
    decision = page.impression.decision
    return [] if decision is None else [(arm.name, page.impression.query.query_class, arm.propensity) for arm in decision.arms]
