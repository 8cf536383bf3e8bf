"""The one search path: decide, retrieve, rank, slice, log. What is measured in evaluation is what serves."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from learners.draws import uniform
from schemas.candidates import Candidate, Request
from schemas.decisions import Decision
from schemas.errors import InvalidSetting
from schemas.events import Impression
from serving.asking import Asker, in_turn
from serving.record import candidates, head, results, with_runs, with_shadow
from serving.view import Ranked, View

SHADOW_DEPTH = 50  # what is logged of a shadow strategy: as many as of the union's candidates

_LOG = logging.getLogger(__name__)
Task = Callable[[], None]


@dataclass(frozen=True)
class Page:
    """What a search gives: the impression of this page, the whole ranking, and the list of every strategy that was asked.

    Where shadow strategies are asked later, what they find is in the emitted impression and not in this one. `timing`: milliseconds to
    decide, retrieve and rank (placing included), and in total.
    """

    impression: Impression
    ranked: Sequence[Ranked]
    lists: Mapping[str, Sequence[Candidate]]
    timing: Mapping[str, float]


class Pipeline:
    """`views()` is the current view; `emit(impression, ts)` takes the log record: it must not block and not raise.

    `clock` counts seconds and is only used to time the strategies. `candidates_p` is the share of impressions that also log the first
    50 candidates, drawn by hash and logged. `asker` asks the strategies, by default one after the other.

    `later` takes what is left to do once the page is answered, if anything is: asking the decision's shadow strategies, then emitting.
    It must run each task, on any thread, also when the server stops; the views then in use stay alive until it has. Without `later`
    nothing waits: shadow strategies are asked before `search` returns, so that a run gives the same log every time.
    """

    def __init__(
        self,
        views: Callable[[], View],
        emit: Callable[[Impression, int], None],
        *,
        clock: Callable[[], float],
        candidates_p: float = 1.0,
        later: Callable[[Task], None] | None = None,
        asker: Asker = in_turn,
    ):
        if not 0.0 < candidates_p <= 1.0:
            raise InvalidSetting(f"candidates_p is {candidates_p}; use a probability above 0, at most 1")
        self._views = views
        self._emit = emit
        self._clock = clock
        self._candidates_p = candidates_p
        self._later = later
        self._asker = asker

    @property
    def candidates_p(self) -> float:
        """The share of impressions that also log candidates."""
        return self._candidates_p

    def search(
        self, request: Request, *, decision: Decision | None = None, first: Page | None = None, view: View | None = None,
        record: bool = True, explore: bool = True,
    ) -> Page:  # fmt: skip
        """One page for a request. Emits its impression and returns. Raises InvalidMessage for a request that cannot be logged.

        Every page of a search repeats one decision. Without `decision` it is drawn as for page 1, which gives the same one while policy
        and memory are the same; a caller that turns pages passes the `decision` of page 1, and it is logged unchanged. When nothing is
        asked (or all that is asked fails), the page is empty, and that is logged too. Who has the whole `first` page
        passes that beside it: its ranking is gone on with, else an entity whose memory has changed meanwhile could stand on two pages.

        `view` answers instead of the current one. Without `record` nobody learns from the search: no impression, no shadow strategies.
        Without `explore`, here or in the request, nothing is left to chance (Policy.greedy), and the log says that nothing was.
        """
        clock = self._clock
        began = clock()
        view = view or self._views()
        policy = view.policy if explore and request.explore else view.policy.greedy()
        impression = head(request)
        decided = decision or policy.decide(replace(request, page=1), available=self._asker.available(view.available), memory=view.memory)
        if not record:
            decided = decided.model_copy(update={"shadow": []})
        retrieving = clock()
        lists, runs = self._asker.ask(view, request, _wanted(decided), clock=clock) if first is None else (first.lists, {})
        ranking = clock()
        ranked = policy.rank(request, lists, memory=view.memory) if first is None else first.ranked
        placed = results(policy.place(request, ranked), view.catalog, page=request.page, size=request.size)
        sampled = uniform("sample", decided.salt, request.search_id, "candidates") < self._candidates_p
        impression = impression.model_copy(
            update={
                "decision": decision or with_runs(decided, runs),
                "feature_schema": policy.feature_schema,
                "results": placed,
                "candidates": candidates(ranked) if sampled else [],
                "candidates_p": self._candidates_p,
            }
        )
        ended = clock()
        if record and decision is None and decided.shadow:
            impression = self._finish(view, request, impression)
        elif record:
            self._emit(impression, request.ts)
        return Page(impression, ranked, lists, _timing(began, retrieving, ranking, ended))

    def _finish(self, view: View, request: Request, impression: Impression) -> Impression:
        """Ask the shadow strategies, now or later, and emit the impression then, exactly once; what is known of it now."""
        if self._later is None:
            impression = self._with_shadow(view, request, impression)
            self._emit(impression, request.ts)
            return impression
        once = Lock()

        def task() -> None:
            if once.acquire(blocking=False):
                whole = impression
                try:
                    whole = self._with_shadow(view, request, impression)
                finally:
                    self._emit(whole, request.ts)

        try:
            self._later(task)
        except Exception as error:
            _LOG.warning("shadow strategies cannot be asked later; this search is logged without them: %s", error)
            if once.acquire(blocking=False):
                self._emit(impression, request.ts)
        return impression

    def _with_shadow(self, view: View, request: Request, impression: Impression) -> Impression:
        """The impression with what its shadow strategies find. They are asked like on page 1; one that fails or is late found nothing."""
        assert impression.decision is not None
        wanted = [(one.name, SHADOW_DEPTH) for one in impression.decision.shadow]
        lists, _ = self._asker.ask(view, replace(request, page=1), wanted, clock=self._clock)
        found = {name: [candidate.entity_id for candidate in listed] for name, listed in lists.items()}
        return impression.model_copy(update={"decision": with_shadow(impression.decision, found)})


def _wanted(decision: Decision) -> list[tuple[str, int]]:
    return [(arm.name, arm.depth) for arm in decision.arms if arm.asked] + [(one.name, one.depth) for one in decision.always]


def _timing(began: float, retrieving: float, ranking: float, ended: float) -> dict[str, float]:
    spans = {"decide": retrieving - began, "retrieve": ranking - retrieving, "rank": ended - ranking, "total": ended - began}
    return {name: max(0.0, span * 1_000.0) for name, span in spans.items()}
