"""Short texts as sets of terms, in inverted lists that change while they are read: the core of trigrams, neighbours and fresh."""

import math
from collections.abc import Collection, Iterable, Mapping
from heapq import nsmallest
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.candidates import Candidate

MAX_DEAD = 1_000  # replaced and deleted documents kept in the lists before they are weeded out, if they are also more than the living

_NOTHING = np.empty(0, np.int32)


class Document(NamedTuple):
    """A text under an id: its distinct terms, and one number that its strategy needs to score it."""

    document_id: str
    terms: Iterable[str]
    value: float = 0.0


class Found(NamedTuple):
    """The living documents that share a term with a query, by number ascending.

    `weights` is the sum over shared terms of idf ** power, `shared` their number; `known` and `unknown` are the same sum over all terms
    of the query, those that some living document has and those that none has.
    """

    numbers: NDArray[np.int64]
    weights: NDArray[np.float64]
    shared: NDArray[np.int64]
    known: float
    unknown: float


class View:
    """What an index held after one `put`. Arrays are indexed by a document's number; `sizes` and `frequencies` by a term's slot."""

    def __init__(self, lists: "_Lists", living: int, terms: int):
        self._slots, self._postings, self._ids = lists.slots, lists.postings, lists.ids  # these grow; what is old in them stays
        self._sizes, self._frequencies = lists.sizes[: len(lists.slots)].copy(), lists.frequencies[: len(lists.slots)].copy()
        count = len(lists.ids)
        self.alive = lists.alive[:count].copy()
        self.lengths, self.values = lists.lengths[:count], lists.values[:count]
        self.living = living  # documents
        self.mean_length = terms / living if living else 1.0

    def find(self, terms: Iterable[str], *, power: int = 1) -> Found:
        """Documents with any of the terms. idf = ln(1 + (N - df + 1/2) / (df + 1/2)), as BM25 has it; exact for the living documents."""
        wanted = sorted(set(terms))  # one order of summation
        slots = [slot for slot in map(self._slots.get, wanted) if slot is not None and slot < len(self._sizes)]
        slots = [slot for slot in slots if self._frequencies[slot]]
        frequency = self._frequencies[slots]
        idf = np.log(1.0 + (self.living - frequency + 0.5) / (frequency + 0.5)) ** power
        unknown = (len(wanted) - len(slots)) * math.log(2.0 * self.living + 2.0) ** power
        rows = np.concatenate([_NOTHING, *(self._postings[slot][: self._sizes[slot]] for slot in slots)])
        shared = np.bincount(rows, minlength=len(self.alive))
        weights = np.bincount(rows, np.repeat(idf, self._sizes[slots]), minlength=len(self.alive)).astype(np.float64, copy=False)
        numbers = np.flatnonzero(shared * self.alive)
        return Found(numbers, weights[numbers], shared[numbers], float(idf.sum()), unknown)

    def everything(self) -> NDArray[np.int64]:
        """The numbers of all living documents."""
        return np.flatnonzero(self.alive)

    def top(self, numbers: NDArray[np.int64], scores: NDArray[np.float64], depth: int) -> list[tuple[float, str]]:
        """(-score, id) of the first `depth` documents in the total order; `scores`, all above zero, stand beside `numbers`."""
        if depth <= 0:
            return []
        tied: list[tuple[float, str]] = []
        if len(numbers) > depth:
            cut = float(np.partition(scores, -depth)[-depth])
            above, level = scores > cut, numbers[scores == cut]
            room = depth - int(np.count_nonzero(above))
            tied = [(-cut, name) for name in nsmallest(room, (self._ids[number] for number in level.tolist()))]
            numbers, scores = numbers[above], scores[above]
        names = [self._ids[number] for number in numbers.tolist()]
        return sorted(zip((-scores).tolist(), names, strict=True)) + tied

    def best(self, numbers: NDArray[np.int64], scores: NDArray[np.float64], depth: int) -> list[Candidate]:
        """The same as candidates."""
        return [Candidate(name, -minus) for minus, name in self.top(numbers, scores, depth)]


class TermIndex:
    """One writer at a time (`put` takes a lock), any number of readers without locks: each takes `view` once and works on that.

    What is found is a function of the documents held, not of the order or the batches of their coming.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._lists = _Lists()
        self.view = View(self._lists, 0, 0)

    def __len__(self) -> int:
        return self.view.living

    def put(self, documents: Iterable[Document], *, gone: Iterable[str] = ()) -> None:
        """Adds and replaces documents and takes those that are `gone` out, all at one moment."""
        batch = {one.document_id: (set(one.terms), one.value) for one in documents}
        with self._lock:
            for name in (*batch, *gone):
                self._lists.drop(name)
            self._lists.append(batch)
            living, dead = len(self._lists.numbers), len(self._lists.ids) - len(self._lists.numbers)
            if dead > max(living, MAX_DEAD):
                self._lists = self._lists.weeded()  # aside; searches under way keep the old ones
            self.view = View(self._lists, living, self._lists.terms)


class _Lists:
    """Inverted lists that only grow: numbers of documents ascend in each, so what a view once saw of a list stays where it was."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.postings: list[NDArray[np.int32]] = []
        self.sizes = np.zeros(0, np.int64)  # by slot: entries of the list, the dead included
        self.frequencies = np.zeros(0, np.int64)  # by slot: living documents
        self.ids: list[str] = []
        self.held: list[NDArray[np.int64]] = []  # by number: slots of the document's terms
        self.numbers: dict[str, int] = {}  # of the living
        self.alive, self.lengths, self.values = np.zeros(0, np.bool_), np.zeros(0), np.zeros(0)
        self.terms = 0  # of the living documents together

    def drop(self, name: str) -> None:
        number = self.numbers.pop(name, None)
        if number is not None:
            self.alive[number] = False
            self.frequencies[self.held[number]] -= 1
            self.terms -= len(self.held[number])

    def append(self, batch: Mapping[str, tuple[Collection[str], float]]) -> None:
        if not batch:
            return
        first, slots = len(self.ids), self.slots
        held = [np.array([slots.setdefault(term, len(slots)) for term in terms], np.int64) for terms, _ in batch.values()]
        lengths, count = np.array([len(one) for one in held]), first + len(batch)
        self.alive, self.lengths, self.values = _room(self.alive, count), _room(self.lengths, count), _room(self.values, count)
        self.alive[first:count], self.lengths[first:count] = True, lengths
        self.values[first:count] = [value for _, value in batch.values()]
        self.sizes, self.frequencies = _room(self.sizes, len(slots)), _room(self.frequencies, len(slots))
        self.postings += [np.empty(0, np.int32)] * (len(slots) - len(self.postings))
        self._post(np.concatenate(held), np.repeat(np.arange(first, count, dtype=np.int32), lengths))
        self.terms += int(lengths.sum())
        self.held += held
        self.numbers.update(zip(batch, range(first, count), strict=True))
        self.ids += batch

    def _post(self, slots: NDArray[np.int64], numbers: NDArray[np.int32]) -> None:
        order = np.argsort(slots, kind="stable")
        slots, numbers = slots[order], numbers[order]
        touched, start, many = np.unique(slots, return_index=True, return_counts=True)
        for slot, low, high in zip(touched.tolist(), start.tolist(), (start + many).tolist(), strict=True):
            size = int(self.sizes[slot])
            room = self.postings[slot] = _room(self.postings[slot], size + high - low)
            room[size : size + high - low] = numbers[low:high]
        self.sizes[touched] += many
        self.frequencies[touched] += many

    def weeded(self) -> "_Lists":
        names, fresh = list(self.slots), _Lists()
        living = sorted((number, name) for name, number in self.numbers.items())
        fresh.append({name: ([names[slot] for slot in self.held[number]], float(self.values[number])) for number, name in living})
        return fresh


def _room(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array itself, or a longer copy that begins with it."""
    if size <= len(array):
        return array
    longer = np.zeros(max(size, len(array) + len(array) // 2, 4), array.dtype)
    longer[: len(array)] = array
    return longer
