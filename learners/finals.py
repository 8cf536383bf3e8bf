"""What the models learn from: a settled search in small arrays, and a bounded set of them that is a function of what was concluded.

A final here is the message `schemas.outcomes.Outcome` with its amendments, without what no model reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from heapq import heappop, heappush
from operator import attrgetter
from sys import intern
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.draws import uniform
from learners.rewards import REWARDS
from schemas.base import DAY_MS
from schemas.events import Action, CandidateSample, Impression, Result
from schemas.ids import query_key
from schemas.outcomes import Amendment, Outcome

CANDIDATES = 40  # of those that were not shown, all that an impression has room for beside a page; with reward, beyond it
MODES = {"score": 0, "slot": 1, "swap": 2, "team": 3}  # Placement.mode in `Final.modes`
LATE = 64  # amendments of one final that count
CAP = 40_000  # finals; some 2 KB each, and 60 bytes for each ranker feature of 30 entities
ERA_MS = 45 * DAY_MS

Act = tuple[str, str]  # entity, kind of action: counts once


@dataclass(frozen=True, slots=True, eq=False)
class Final:
    """One settled search. n entities: what was shown, in order of position, then sampled candidates that were not shown.

    `time` is that of its first page in ms; `client` the keyed hash of the person; `rank_version` "" when the page had no decision.
    `rewards` are of the whole search, in units of 1/256; `off_page` holds those of entities that are not among the n. `has_viewed`:
    the application sends `viewed` actions, at least in this search. The arrays are read-only.
    """

    final_id: str
    time: int
    query_key: str
    segment: str
    client: str
    rank_version: str
    entities: tuple[str, ...]
    positions: NDArray[np.int32]  # (n,) from 1; 0 = candidate, not shown
    features: NDArray[np.int16]  # (n, F) in units of 1/256; F = 0 when none were logged or their lengths differ
    rewards: NDArray[np.int32]  # (n,)
    viewed: NDArray[np.bool_]  # (n,)
    modes: NDArray[np.int8]  # (n,) MODES
    probabilities: NDArray[np.float32]  # (n,) of the placement; 1 for candidates
    off_page: Mapping[str, int]
    has_viewed: bool


class Row(NamedTuple):
    """One entity of a final before it is put into arrays."""

    entity: str
    position: int
    features: Sequence[int]
    mode: int
    p: float


class Late(NamedTuple):
    """What an amendment adds: rows of a page (its number orders pages), or an act."""

    amendment_id: str
    page: int
    rows: tuple[Row, ...]
    act: Act | None


def final_of(outcome: Outcome, *amendments: Amendment) -> Final:
    """The final of a message and of what was amended to it, in any order. An entity that was shown twice keeps its first place: pages of
    the message by their number, then amended pages by theirs. Amended pages bring no candidates."""
    return amended(_settled(outcome), done_by(outcome), [late_of(one) for one in amendments])


def done_by(outcome: Outcome) -> tuple[Act, ...]:
    """What was done in a search, each once, sorted."""
    return tuple(sorted({_act(action) for action in outcome.actions if action.entity_id is not None}))


def late_of(amendment: Amendment) -> Late:
    """What an amendment adds to its final."""
    event = amendment.event
    if isinstance(event, Impression):
        return Late(amendment.amendment_id, event.page, tuple(_shown(event.results)), None)
    return Late(amendment.amendment_id, 0, (), _act(event) if event.entity_id is not None else None)


def amended(final: Final, done: Iterable[Act], late: Sequence[Late]) -> Final:
    """The final with what came after it: new pages, and rewards of acts that were not yet done. Order and repeats change nothing."""
    if not late:
        return final
    known = set(done)
    acts = sorted({one.act for one in late if one.act is not None and one.act not in known})
    pages = sorted({one.amendment_id: one for one in late if one.rows}.values(), key=lambda one: (one.page, one.amendment_id))
    rows = _rows_of(final) + [row for one in pages for row in one.rows]
    rewards = dict(final.off_page) | dict(zip(final.entities, final.rewards.tolist(), strict=True))
    viewed = {entity for entity, seen in zip(final.entities, final.viewed, strict=True) if seen}
    for entity, kind in acts:
        rewards[entity] = rewards.get(entity, 0) + REWARDS[kind]  # type: ignore[index]  # kinds of actions, as strings
        viewed |= {entity} if kind == "viewed" else set()
    has_viewed = final.has_viewed or any(kind == "viewed" for _, kind in acts)
    return replace(final, **_columns(_ordered(rows), rewards, viewed), has_viewed=has_viewed)


def _settled(outcome: Outcome) -> Final:
    """The final without amendments."""
    pages = sorted(outcome.pages, key=lambda page: page.page)
    first, decision = pages[0], pages[0].decision
    shown = [row for page in pages for row in _shown(page.results)]
    on_page, candidates = {row.entity for row in shown}, dict[str, CandidateSample]()
    for page in pages:
        for one in page.candidates:
            if one.entity_id not in on_page:
                candidates.setdefault(one.entity_id, one)
    kept = [one for at, one in enumerate(candidates.values()) if at < CANDIDATES or outcome.rewards.get(one.entity_id)]
    rows = shown + [Row(intern(one.entity_id), 0, one.features, 0, 1.0) for one in kept]
    viewed = {action.entity_id for action in outcome.actions if action.kind == "viewed" and action.entity_id is not None}
    return Final(
        final_id=outcome.final_id,
        time=outcome.time,
        query_key=intern(first.query.key or query_key(first.query.text, first.surface)),
        segment=intern(first.segment),
        client=intern(outcome.client),
        rank_version=intern(decision.rank_version if decision else ""),
        **_columns(_ordered(rows), outcome.rewards, viewed),
        has_viewed=any(action.kind == "viewed" for action in outcome.actions),
    )


def _act(action: Action) -> Act:
    return intern(action.entity_id or ""), action.kind


def _shown(results: Iterable[Result]) -> list[Row]:
    return [
        Row(intern(one.entity_id), one.position, one.features, MODES[one.placement.mode], one.placement.p)
        for one in sorted(results, key=lambda one: one.position)
    ]


def _rows_of(final: Final) -> list[Row]:
    """Inverse of `_columns`, for what it keeps."""
    columns = (final.positions, final.features, final.modes, final.probabilities)
    return [Row(*row) for row in zip(final.entities, *(column.tolist() for column in columns), strict=True)]


def _ordered(rows: Iterable[Row]) -> list[Row]:
    """Each entity once, its first showing before its later ones and these before its being a candidate; what was shown by position."""
    once: dict[str, Row] = {}
    for row in rows:
        have = once.get(row.entity)
        if have is None or (row.position and not have.position):
            once[row.entity] = row
    shown = sorted((row for row in once.values() if row.position), key=lambda row: row.position)  # stable: equal ones by page
    return shown + [row for row in once.values() if not row.position]


def _columns(rows: Sequence[Row], rewards: Mapping[str, int], viewed: Iterable[str]) -> dict[str, Any]:
    entities = tuple(row.entity for row in rows)
    lengths, seen = {len(row.features) for row in rows}, set(viewed)
    width = lengths.pop() if len(lengths) == 1 else 0
    paid = {entity: reward for entity, reward in rewards.items() if reward}
    features = np.array([row.features[:width] for row in rows], dtype=np.int16).reshape(len(rows), width)
    features.flags.writeable = False
    return {
        "entities": entities,
        "positions": _column("<i4", [row.position for row in rows]),
        "features": features,
        "rewards": _column("<i4", [paid.pop(entity, 0) for entity in entities]),
        "viewed": _column("|b1", [entity in seen for entity in entities]),
        "modes": _column("|i1", [row.mode for row in rows]),
        "probabilities": _column("<f4", [row.p for row in rows]),
        "off_page": paid,
    }


def _column(dtype: str, values: Sequence[float]) -> NDArray[Any]:
    return _shared(dtype, np.array(values, dtype=dtype).tobytes())


@lru_cache(maxsize=10_000)
def _shared(dtype: str, data: bytes) -> NDArray[Any]:
    """Most pages have the same positions, no reward and no test: one array serves them all."""
    return np.frombuffer(data, dtype=dtype)


@dataclass(slots=True)
class _Held:
    """A final, what was done in it, and its amendments; either may come first. Of an erased person nothing but the place is kept."""

    final: Final | None = None
    done: tuple[Act, ...] = ()
    late: dict[str, Late] = field(default_factory=dict)
    erased: bool = False

    def erase(self) -> None:
        self.final, self.done, self.late, self.erased = None, (), {}, True


class _Era:
    """The searches with the smallest hashes of one era, at most `cap`: by the id of their final, whether it or its amendments came."""

    def __init__(self, cap: int) -> None:
        self.cap, self.held, self.finals = cap, dict[str, _Held](), 0
        self._largest: list[tuple[float, str]] = []  # heap of (-hash, final id)

    @property
    def count(self) -> int:
        """Distinct finals seen. Exact until the era is full, then (k - 1) / (largest of the k smallest hashes): 1 % off at k = 10,000."""
        return max(self.finals, int((self.cap - 1) / -self._largest[0][0])) if self._full else self.finals

    def takes(self, final_id: str) -> bool:
        """Whether something of this search would be kept."""
        return final_id in self.held or not self._full or (-_hash(final_id), final_id) > self._largest[0]

    def at(self, final_id: str) -> _Held | None:
        """The place of a search, made if need be; None when it is not among the smallest."""
        if final_id in self.held or not self.takes(final_id):
            return self.held.get(final_id)
        if self._full:
            gone = self.held.pop(heappop(self._largest)[1])
            self.finals -= gone.final is not None
        heappush(self._largest, (-_hash(final_id), final_id))
        place = self.held[final_id] = _Held()
        return place

    @property
    def _full(self) -> bool:
        return len(self.held) >= self.cap


class FinalSet:
    """At most `cap` of the finals of the last 45 to 90 days before the newest, the same for the same conclusions in any order.

    Time is cut into eras of 45 days. Of the newest era and the one before it, those searches are kept whose ids have the smallest
    hashes, cap / 2 of each: whether one of an era is kept depends on that era's ids alone, so nothing that was dropped is ever missed.
    An amendment is kept by the same rule in the era of its own time, and counts when its final is kept.
    """

    def __init__(self, cap: int = CAP) -> None:
        self._cap = cap
        self._newest = 0
        self._eras: dict[int, _Era] = {}
        self._passed = 0  # finals of eras that are too old now
        self._erased: dict[str, int] = {}  # keyed hash of a person -> time (ms) up to which their finals are not kept

    @property
    def count(self) -> int:
        """Distinct finals seen; about, once more than cap / 2 came in one era."""
        return self._passed + sum(era.count for era in self._eras.values())

    def __len__(self) -> int:
        """Finals that are kept."""
        return sum(era.finals for era in self._eras.values())

    def wants(self, final_id: str, time: int) -> bool:
        """False when the final of this id and time would change nothing: it need not be decoded."""
        era = time // ERA_MS
        if era not in self._eras:
            return era >= self._newest - 1
        held = self._eras[era].held.get(final_id)
        return (held.final is None and not held.erased) if held is not None else self._eras[era].takes(final_id)

    def add(self, conclusion: Outcome | Amendment) -> None:
        """Take a conclusion. What came before, is too old, or is not chosen changes nothing."""
        if (era := self._era(conclusion.time)) is None or (place := era.at(conclusion.final_id)) is None:
            return
        before = self._eras.get(conclusion.time // ERA_MS - 1)
        if place.erased or (before is not None and conclusion.final_id in before.held and before.held[conclusion.final_id].erased):
            return
        if isinstance(conclusion, Amendment):
            place.late.setdefault(conclusion.amendment_id, late_of(conclusion))
            if len(place.late) > LATE:
                del place.late[max(place.late)]
        elif conclusion.time <= self._erased.get(conclusion.client, -1):
            self._leave_out(conclusion.time // ERA_MS, conclusion.final_id)
        elif place.final is None:
            place.final, place.done = final_of(conclusion), done_by(conclusion)
            era.finals += 1

    def erase(self, people: Mapping[str, int]) -> bool:
        """Finals of these people (keyed hash -> time in ms) up to that time are not kept, those to come neither; whether there were any.

        Their places stay taken: so whatever comes first, erasure or final, the set is the same.
        """
        for client, until in people.items():
            self._erased[client] = max(until, self._erased.get(client, -1))
        gone = [
            (number, final_id)
            for number, era in self._eras.items()
            for final_id, held in era.held.items()
            if held.final is not None and held.final.time <= self._erased.get(held.final.client, -1)
        ]
        for number, final_id in gone:
            self._eras[number].finals -= 1
            self._leave_out(number, final_id)
        return bool(gone)

    def _leave_out(self, era: int, final_id: str) -> None:
        self._eras[era].held[final_id].erase()
        if (after := self._eras.get(era + 1)) is not None and (late := after.held.get(final_id)) is not None:
            late.erase()

    def sorted(self) -> list[Final]:
        """The finals by id ascending, with their amendments."""
        out = []
        for number, era in self._eras.items():
            after = self._eras.get(number + 1)
            for final_id, held in era.held.items():
                if held.final is not None:
                    next_era = after.held.get(final_id) if after is not None else None
                    late = [*held.late.values(), *(next_era.late.values() if next_era else ())]
                    out.append(amended(held.final, held.done, late))
        return sorted(out, key=attrgetter("final_id"))

    def _era(self, time: int) -> _Era | None:
        """The era of a time, which ends those that are then too old; None when it is too old itself."""
        number = time // ERA_MS
        if number > self._newest:
            self._newest = number
            for old in [one for one in self._eras if one < number - 1]:
                self._passed += self._eras.pop(old).count
        return self._eras.setdefault(number, _Era(self._cap // 2)) if number >= self._newest - 1 else None


def _hash(final_id: str) -> float:
    return uniform("sample", "", final_id, "final")
