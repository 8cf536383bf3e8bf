"""Lists of strategies that depend on the query alone, made once for an evaluation: a run of 20,000 searches asks a few hundred queries."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from evaluation.judged_queries import START, JudgedQuery
from retrievers.base import Retriever
from schemas.candidates import Candidate, Request

DEPTH = 200  # four times the depth of evaluation: twice by plan, twice again by the draw


class Prepared(NamedTuple):
    """One list to DEPTH, and the seconds that it took."""

    found: Sequence[Candidate]
    seconds: float


Lists = Mapping[str, Prepared]  # query key -> list


def prepare(
    retrievers: Iterable[Retriever], queries: Sequence[JudgedQuery], *,
    progress: Callable[[int, int], None] = lambda done, total: None, clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, Prepared]]:  # fmt: skip
    """Strategy -> query key -> its list."""
    made = list(retrievers)
    out: dict[str, dict[str, Prepared]] = {}
    for number, retriever in enumerate(made):
        of = out[retriever.name] = {}
        for index, query in enumerate(queries):
            before = clock()
            found = retriever.retrieve(query.request(f"prepare-{query.query_id}", START), DEPTH)
            of[query.key] = Prepared(found, clock() - before)
            progress(number * len(queries) + index + 1, len(made) * len(queries))
    return out


class PreparedRetriever:
    """Answers from prepared lists; what goes beyond them is asked of the strategy itself, which is made when it is first needed.

    `spent` counts the seconds that the lists took when they were made, so that a search can be timed as if they were made for it.
    """

    def __init__(self, name: str, lists: Lists, otherwise: Callable[[], Retriever]):
        self.name = name
        self._lists, self._otherwise = lists, otherwise
        self._real: Retriever | None = None
        self.spent = 0.0

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        have = self._lists.get(request.query_key)
        if have is not None and (depth <= DEPTH or len(have.found) < DEPTH):
            self.spent += have.seconds
            return list(have.found[: max(depth, 0)])
        if self._real is None:
            self._real = self._otherwise()
        return self._real.retrieve(request, depth)
