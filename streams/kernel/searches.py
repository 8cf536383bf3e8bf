"""Open searches and held actions of one partition. Who belongs to whom is decided by record times alone: |t - t0| <= window."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeVar

from schemas.base import HOUR_MS
from schemas.codec import decode
from schemas.events import Action, Impression
from streams.kernel.changes import SavedEvent, SavedId
from streams.kernel.conclude import Out, hashed_id
from streams.kernel.join import Adder, Rules, open_search
from streams.kernel.search import Fact, Search

AWAKE = 2_000  # searches that keep what they amount to as objects, some 10 MB: those touched last
T = TypeVar("T")


class Searches:
    """`open` holds several searches of one id only when the id came back after it was forgotten."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.open: dict[str, list[Search]] = {}
        self.held: dict[str, list[tuple[Fact, Action]]] = {}  # actions before their impression
        self._due: list[tuple[int, str]] = []  # (record time that the watermark must pass, search id)
        self._awake: dict[Search, None] = {}  # the one touched last stands last

    def restore(self, events: Sequence[SavedEvent], watermark: int, out: Out) -> None:
        """As saved events left it. Nothing is decoded but actions: what a search amounts to is found out when it is touched."""
        for saved in sorted((one for one in events if one.topic == "impressions"), key=lambda one: one.time):
            if (search := self.alive(saved.search_id, saved.time)) is None:
                search = Search(saved.search_id, saved.time, saved.ts, saved.client)
                self._open(search)
            search.pages.append(Fact(saved.time, saved.value))
        for saved in sorted((one for one in events if one.topic == "actions"), key=lambda one: one.time):
            if out.refused("actions", saved.value, saved.time, "too_late"):
                continue  # it was held until its search came, and was too late for it
            fact, action = Fact(saved.time, saved.value), decode(Action, saved.value)
            if (search := self.alive(saved.search_id, saved.time)) is not None:
                search.actions.append((fact, action))
            elif not any(saved.time >= t0 - self.rules.window for t0 in self._known(saved.search_id, saved.time, out)):
                self._hold(fact, action)  # else its search has passed
        for some in self.open.values():
            for search in some:
                search.final = watermark > search.close(self.rules.window, self.rules.settle)
        self.pass_time(watermark, out)

    def alive(self, search_id: str, time: int) -> Search | None:
        """The search of this id that an event at `time` belongs to."""
        return next((one for one in self.open.get(search_id, ()) if abs(time - one.t0) <= self.rules.window), None)

    def too_late(self, search_id: str, time: int, out: Out) -> bool:
        """Does no open search take an event at `time`, while one is known that it is past the window of?"""
        known = self._known(search_id, time, out)
        return any(time > t0 + self.rules.window for t0 in known) and self.alive(search_id, time) is None

    def late_text(self, search_id: str) -> str:
        minutes = self.rules.window // 60_000
        return f"search {search_id} was shown more than {minutes} min before; send events sooner, or give a new page view a new search_id"

    def page(self, page: Impression, fact: Fact, adder: Adder, out: Out) -> None:
        """A page opens its search or joins it."""
        search = self.alive(page.search_id, fact.time)
        if opened := search is None:
            search = open_search(page, fact.time, self.rules)
            self._open(search)
            out.remember(SavedId(page.ts // HOUR_MS, hashed_id("search", page.search_id), fact.time))
            adder.opened(search, page)
        assert search is not None
        self._touch(search)
        adder.page(search, page)
        if search.final:
            out.amendment(search, page, fact.time)
        else:
            search.pages.append(fact)
        if opened and page.search_id in self.held:
            for waiting, action in self.held.pop(page.search_id):
                self.action(action, waiting, adder, out)

    def action(self, action: Action, fact: Fact, adder: Adder, out: Out) -> None:
        """An action joins its search, is too late for it, or is held until it comes."""
        search = self.alive(action.search_id, fact.time)
        if search is None and self.too_late(action.search_id, fact.time, out):
            out.quarantine("actions", fact.value, fact.time, "too_late", self.late_text(action.search_id))
        elif search is None:
            self._hold(fact, action)
        else:
            self._touch(search)
            adder.action(search, action)
            if search.final:
                out.amendment(search, action, fact.time)
            else:
                search.actions.append((fact, action))

    def forget(self, search_id: str, t0: int, client: int, out: Out) -> None:
        """A search that began at t0 is not counted: actions that were held for it, or would be too late for it, go."""
        since, held = t0 - self.rules.window, self.held.get(search_id, [])
        if len(left := [one for one in held if one[0].time < since]) < len(held):
            out.changes.traces.add(client)
        self._keep(self.held, search_id, left)
        out.changes.events = [one for one in out.changes.events if one.search_id != search_id or one.time < since]
        out.changes.forgotten.setdefault(search_id, since)

    def pass_time(self, watermark: int, out: Out) -> None:
        """Conclude what the watermark has strictly passed: finals, searches past their window, actions whose impression never came."""
        while self._due and self._due[0][0] < watermark:
            _, search_id = heappop(self._due)
            for search in self.open.get(search_id, ()):
                close = search.close(self.rules.window, self.rules.settle)
                if not search.final and watermark > close:
                    out.final(search, close, self.rules)
                    search.conclude()
                self._wait(search.t0 + self.rules.window if search.final else close, search_id, watermark)
            self._keep(self.open, search_id, [s for s in self.open.get(search_id, ()) if watermark <= s.t0 + self.rules.window])
            for fact, action in self.held.get(search_id, ()):
                if watermark > fact.time + self.rules.window:
                    minutes = self.rules.window // 60_000
                    rule = f"no impression of search {action.search_id} within {minutes} min; send the impression under the same search_id"
                    out.quarantine("actions", fact.value, fact.time, "unmatched", rule)
            held = [one for one in self.held.get(search_id, ()) if watermark <= one[0].time + self.rules.window]
            self._keep(self.held, search_id, held)

    @staticmethod
    def _known(search_id: str, time: int, out: Out) -> list[int]:
        """When searches of this id began, as far as that is remembered at `time`."""
        return out.ids.contents(hashed_id("search", search_id), time)

    def _open(self, search: Search) -> None:
        self.open.setdefault(search.search_id, []).append(search)
        self._wait(search.t0 + self.rules.settle, search.search_id)

    def _hold(self, fact: Fact, action: Action) -> None:
        self.held.setdefault(action.search_id, []).append((fact, action))
        self._wait(fact.time + self.rules.window, action.search_id)

    def _touch(self, search: Search) -> None:
        """It is awake now, and the one that was not touched for the longest time sleeps."""
        self._awake.pop(search, None)
        self._awake[search] = None
        search.wake()
        if len(self._awake) > AWAKE:
            first = next(iter(self._awake))
            del self._awake[first]
            first.sleep()

    def _wait(self, time: int, search_id: str, watermark: int = -1) -> None:
        if time >= watermark:
            heappush(self._due, (time, search_id))

    @staticmethod
    def _keep(of: dict[str, list[T]], search_id: str, left: list[T]) -> None:
        if left:
            of[search_id] = left
        else:
            of.pop(search_id, None)
