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
from serving.record import Run, candidates, head, results, with_runs, with_shadow
from serving.view import Ranked, View

SHADOW_DEPTH = 50  # what is logged of a shadow strategy: as many as of the union's candidates

_LOG = logging.getLogger(__name__)
Task = Callable[[], None]


@dataclass(frozen=True)
class Page:
    """What a search gives: the impression of this page, the whole ranking, and the list of every strategy that was asked.

    Where shadow strategies are asked later, what they find is in the emitted impression and not in this one.
    """

    impression: Impression
    ranked: Sequence[Ranked]
    lists: Mapping[str, Sequence[Candidate]]


class Pipeline:
    """`views()` is the current view; `emit(impression, ts)` takes the log record: it must not block and not raise.

    `clock` counts seconds and is only used to time the strategies. `candidates_p` is the share of impressions that also log the first
    50 candidates, drawn by hash and logged.

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
    ):
        if not 0.0 < candidates_p <= 1.0:
            raise InvalidSetting(f"candidates_p is {candidates_p}; use a probability above 0, at most 1")
        self._views = views
        self._emit = emit
        self._clock = clock
        self._candidates_p = candidates_p
        self._later = later

    def search(self, request: Request, *, decision: Decision | None = None) -> Page:
        """One page for a request. Emits its impression and returns. Raises InvalidMessage for a request that cannot be logged.

        Every page of a search repeats one decision. Without `decision` it is drawn as for page 1, which gives the same one while policy
        and memory are the same; a caller that turns pages passes the `decision` of page 1, and it is logged unchanged. When nothing is
        asked (or all that is asked fails), the page is empty, and that is logged too.
        """
        view = self._views()
        impression = head(request)
        decided = decision or view.policy.decide(replace(request, page=1), available=view.available, memory=view.memory)
        lists, runs = self._retrieve(view, request, decided)
        ranked = view.policy.rank(request, lists, memory=view.memory)
        sampled = uniform("sample", decided.salt, request.search_id, "candidates") < self._candidates_p
        impression = impression.model_copy(
            update={
                "decision": decision or with_runs(decided, runs),
                "feature_schema": view.policy.feature_schema,
                "results": results(view.policy.place(request, ranked), view.catalog, page=request.page, size=request.size),
                "candidates": candidates(ranked) if sampled else [],
                "candidates_p": self._candidates_p,
            }
        )
        if decision is None and decided.shadow:
            impression = self._finish(view, request, impression)
        else:
            self._emit(impression, request.ts)
        return Page(impression, ranked, lists)

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
        except Exception:
            _LOG.warning("shadow strategies cannot be asked later; this search is logged without them", exc_info=True)
            if once.acquire(blocking=False):
                self._emit(impression, request.ts)
        return impression

    def _with_shadow(self, view: View, request: Request, impression: Impression) -> Impression:
        """The impression with what its shadow strategies find. They are asked like on page 1; one that fails found nothing."""
        assert impression.decision is not None
        found: dict[str, list[str]] = {}
        for one in impression.decision.shadow:
            try:
                listed = view.retrievers[one.name].retrieve(replace(request, page=1), SHADOW_DEPTH)[:SHADOW_DEPTH]
            except Exception:
                _LOG.warning("shadow strategy %s failed; it is logged as having found nothing", one.name, exc_info=True)
            else:
                found[one.name] = [candidate.entity_id for candidate in listed]
        return impression.model_copy(update={"decision": with_shadow(impression.decision, found)})

    def _retrieve(self, view: View, request: Request, decision: Decision) -> tuple[dict[str, list[Candidate]], dict[str, Run]]:
        """Each asked strategy to its depth. One that fails gives the empty list: it was asked, and that is what came of it."""
        lists: dict[str, list[Candidate]] = {}
        runs: dict[str, Run] = {}
        for name, depth in [(arm.name, arm.depth) for arm in decision.arms if arm.asked] + [
            (one.name, one.depth) for one in decision.always
        ]:
            started = self._clock()
            try:
                lists[name] = view.retrievers[name].retrieve(request, depth)[:depth] if depth else []
            except Exception:
                _LOG.warning("strategy %s failed; the search goes on without it", name, exc_info=True)
                lists[name] = []
                runs[name] = Run(0, self._ms(started), "failed")
            else:
                runs[name] = Run(len(lists[name]), self._ms(started), "ok")
        return lists, runs

    def _ms(self, started: float) -> float:
        return max(0.0, (self._clock() - started) * 1_000.0)
