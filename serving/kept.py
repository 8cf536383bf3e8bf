"""The last searches of this process, whole: what the console explains, and where actions meet the page that they were done on."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

from schemas.candidates import Request
from schemas.events import Action
from serving.pipeline import Page
from serving.view import View

MOST = 500  # searches: a union of 300 candidates with its features takes some 100 KB


@dataclass(frozen=True)
class Search:
    """One search as it was answered, with the view that answered it. `counted`: whether it was logged, so that people's actions teach;
    a try of the console is not. `actions`: those that came through this process, oldest first."""

    request: Request
    page: Page
    view: View
    counted: bool = True
    actions: tuple[Action, ...] = ()


class Kept:
    """The last MOST searches by (search_id, page). Any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, Lock()
        self._searches: OrderedDict[tuple[str, int], Search] = OrderedDict()

    def put(self, search: Search) -> None:
        """Keep a search; the oldest goes when there is no room."""
        with self._lock:
            self._searches[search.request.search_id, search.request.page] = search
            while len(self._searches) > self._most:
                self._searches.popitem(last=False)

    def acted(self, action: Action) -> None:
        """Note an action with the page that showed its entity, if that is still kept."""
        with self._lock:
            for key, search in reversed(self._searches.items()):
                if key[0] == action.search_id and any(one.entity_id == action.entity_id for one in search.page.impression.results):
                    self._searches[key] = replace(search, actions=(*search.actions, action))
                    return

    def get(self, search_id: str, page: int = 1) -> Search | None:
        """The search, or None when it is no longer kept."""
        return self._searches.get((search_id, page))

    def latest(self, count: int) -> Sequence[Search]:
        """The newest first."""
        with self._lock:
            return list(self._searches.values())[: -count - 1 : -1]
