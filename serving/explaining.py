"""Why a result stands where it stands, why one does not, and how a page was made. Pure: reads a kept search, asks nobody but strategies.

The numbers are those of the answer itself: what each strategy added sums to the log-odds of the expectation, and the weighted mean of
expectation and evidence is the served score. What is explained is what was served, also when a newer version would rank otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from display.numbers import about, listed, one_in, ordinal, plural
from display.words import PLACEMENTS, method
from learners.ranking.contributions import START, TRENDING, Account
from schemas.errors import NotFound
from schemas.events import Placement, Result
from serving.kept import Search
from serving.lost import Lost, missing, title_of
from serving.made import Part, Story, story
from serving.view import Ranked

__all__ = [
    "Difference",
    "Explanation",
    "Found",
    "Lost",
    "Part",
    "Reason",
    "Recalled",
    "Story",
    "explain",
    "missing",
    "story",
    "title_of",
]


class Found(NamedTuple):
    """A strategy that was asked: its rank and score for the item, None where it did not find it."""

    strategy: str
    rank: int | None
    score: float | None


class Reason(NamedTuple):
    """One row of a sum: `name` is a strategy, "start", "trend" or "memory"; `said` its words; `adds` points or score."""

    name: str
    said: str
    adds: float


@dataclass(frozen=True)
class Recalled:
    """What memory makes of the expectation: (kappa * expected + reward) / (kappa + looks) = result.

    `seen` is reward / looks, None where nobody looked. `held_back`: people chose it, but too few different ones for it to count yet;
    `reward`, `looks` and `clients` then tell what there is, and the result is the expectation alone.
    """

    expected: float
    kappa: float
    reward: float
    looks: float
    clients: int
    held_back: bool
    result: float

    @property
    def seen(self) -> float | None:
        return self.reward / self.looks if self.looks > 0.0 else None

    @property
    def share(self) -> float:
        """Of the result, how much is what happened and not what was expected: its weight, 0 to 1."""
        return 0.0 if self.held_back else self.looks / (self.kappa + self.looks)


@dataclass(frozen=True)
class Difference:
    """This item against another: rows in units of the score, largest first, summing to this score minus the other's."""

    entity_id: str
    title: str
    place: int | None
    rows: tuple[Reason, ...]
    total: float


@dataclass(frozen=True)
class Explanation:
    """Why an item stands where it stands. `place` counts over all pages, None where it is not on this page; `rank` is by score, from 1.

    `reasons` (the start first, then by size) sum to the log-odds of what was expected; they and `memory` are missing where the policy
    gives no account of its scores (a fixed mix). `above` compares with the item one place above. `placement` says whether it is a test.
    """

    entity_id: str
    title: str
    page: int
    place: int | None
    rank: int
    of: int
    score: float
    sentence: str
    found: tuple[Found, ...]
    reasons: tuple[Reason, ...]
    memory: Recalled | None
    above: Difference | None
    placement: Placement | None
    test: str  # what the test is, as a sentence; "" for a place by score


def explain(search: Search, entity_id: str, *, against: str | None = None) -> Explanation:
    """Why the item stands at its place of this search; `against` another item than the one above. Raises NotFound for one that no asked
    strategy found: `missing` says why."""
    ranked = _ranked(search, entity_id)
    rank = next(at for at, one in enumerate(search.page.ranked, 1) if one.entity_id == entity_id)
    shown = {one.entity_id: one for one in search.page.impression.results}
    result, account = shown.get(entity_id), _account(search, ranked)
    other = against or _above(search, result, rank)
    reasons = () if account is None else _reasons(account, ranked)
    memory = None if account is None else _recalled(account)
    test = _test(result)
    return Explanation(
        entity_id=entity_id,
        title=title_of(search, entity_id),
        page=search.request.page,
        place=result.position if result else None,
        rank=rank,
        of=len(search.page.ranked),
        score=ranked.score,
        sentence=_sentence(search, ranked, rank, result, reasons, memory),
        found=_found(search, ranked),
        reasons=reasons,
        memory=memory,
        above=None if other is None or other == entity_id else _difference(search, ranked, _ranked(search, other), shown.get(other)),
        placement=result.placement if result else None,
        test=test,
    )


def _ranked(search: Search, entity_id: str) -> Ranked:
    for one in search.page.ranked:
        if one.entity_id == entity_id:
            return one
    raise NotFound(f"item {entity_id!r} was not ranked in search {search.request.search_id!r}; ask which stage lost it")


def _account(search: Search, ranked: Ranked) -> Account | None:
    return search.view.policy.account(search.request, ranked)


def _above(search: Search, result: Result | None, rank: int) -> str | None:
    """The item one place above on the page; by rank for one that is not on it, and for the first of a later page."""
    if result is not None:
        above = next((one.entity_id for one in search.page.impression.results if one.position == result.position - 1), None)
        if above is not None or result.position == 1:
            return above
    return search.page.ranked[rank - 2].entity_id if rank > 1 else None


def _found(search: Search, ranked: Ranked) -> tuple[Found, ...]:
    """Every asked strategy, finders first, by rank."""
    ranks = {name: (rank, score) for name, rank, score in ranked.found}
    rows = [Found(name, *ranks.get(name, (None, None))) for name in sorted(search.page.lists)]
    return tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.strategy)))


def _reasons(account: Account, ranked: Ranked) -> tuple[Reason, ...]:
    """The start, then by size; rows of exactly nothing are left out."""
    ranks = {name: rank for name, rank, _ in ranked.found}
    start = [Reason(row.name, "any item", row.points) for row in account.rows if row.name == START]
    rest = [Reason(row.name, _why(row.name, ranks), row.points) for row in account.rows if row.name != START and row.points]
    return (*start, *sorted(rest, key=lambda row: (-abs(row.adds), row.name)))


def _why(name: str, ranks: dict[str, int]) -> str:
    if name == TRENDING:
        return "chosen lately in other searches"
    label = method(name).label
    return f"{label} found it, rank {ranks[name]}" if name in ranks else f"{label} did not find it"


def _recalled(account: Account) -> Recalled:
    one = account.evidence
    return Recalled(account.prior, account.kappa, one.reward, one.examined, one.clients, account.held_back, account.score)


def _difference(search: Search, one: Ranked, other: Ranked, shown: Result | None) -> Difference:
    """Rows in units of the score. What the expectations differ by is shared out in proportion to the points; what memory made of each
    expectation is one row."""
    first, second = _account(search, one), _account(search, other)
    total = one.score - other.score
    title, place = title_of(search, other.entity_id), shown.position if shown else None
    if first is None or second is None:
        return Difference(other.entity_id, title, place, (Reason("score", "score", total),), total)
    gaps = {row.name: row.points - than.points for row, than in zip(first.rows, second.rows, strict=True)}
    points, expected = sum(gaps.values()), first.prior - second.prior
    slope = expected / points if abs(points) > 1e-12 else first.prior * (1.0 - first.prior)
    rows = [Reason(name, _against(name, one, other), gap * slope) for name, gap in gaps.items() if gap]
    rows.append(Reason("memory", "what people chose for this search", total - expected))
    return Difference(other.entity_id, title, place, tuple(sorted(rows, key=lambda row: (-abs(row.adds), row.name))), total)


def _against(name: str, one: Ranked, other: Ranked) -> str:
    if name == TRENDING:
        return "chosen lately in other searches"
    ranks = [next((f"rank {rank}" for strategy, rank, _ in some.found if strategy == name), "not found") for some in (one, other)]
    return f"{method(name).label}: {ranks[0]} against {ranks[1]}"


def _test(result: Result | None) -> str:
    if result is None:
        return ""
    placement, chance = result.placement, one_in(result.placement.p)
    if placement.mode == "score":
        return ""
    if placement.mode == "team":
        return PLACEMENTS["team"].said
    return f"This place was a test ({PLACEMENTS[placement.mode].label}), chance {chance}. The score did not put it here."


def _sentence(search: Search, ranked: Ranked, rank: int, result: Result | None, reasons: Sequence[Reason], memory: Recalled | None) -> str:
    why = _because(ranked, reasons, memory)
    if result is None:
        return f"Ranked {ordinal(rank)} by score, not on this page: {why}"
    place, most = ordinal(result.position).capitalize(), "mostly because "
    apart = f"What speaks for it most: {why.removeprefix(most)}" if why.startswith(most) else f"It was {why}"
    if result.placement.mode in ("slot", "swap"):
        return f"{place}, as a test: by score it would be {ordinal(rank)}. {apart}"
    if result.placement.mode == "team":
        return f"{place}; {ordinal(rank)} by score. {PLACEMENTS['team'].said} {apart}"
    if rank > result.position:
        return f"{place}; {ordinal(rank)} by score alone, but scores are drawn a little, so that what is little known gets seen. {apart}"
    if rank < result.position:
        return f"{place}; {ordinal(rank)} by score alone, but what is less known was drawn before it. {apart}"
    return f"{place}, {why}"


def _because(ranked: Ranked, reasons: Sequence[Reason], memory: Recalled | None) -> str:
    """What speaks for the item, as the rest of a sentence."""
    best = sorted(ranked.found, key=lambda one: (one[1], one[0]))
    by = "found by " + listed([f"{method(name).label} (rank {at})" for name, at, _ in best])
    if memory is None:
        return f"{by}."
    if memory.held_back:
        return f"{by}; {plural(memory.clients, 'person', 'people')} chose it for this search, too few for it to count yet."
    looks = f"{about(memory.looks)} {'look' if round(memory.looks) == 1 else 'looks'}"
    times = f"{about(memory.reward)} {'time' if round(memory.reward) == 1 else 'times'}"
    expected = f"{one_in(memory.expected)} was expected"
    if memory.reward > memory.kappa * memory.expected:  # what happened is the larger part of the sum
        return f"mostly because people chose it for this search, {times} in {looks}, where {expected}."
    # What did not find it may speak for it too, in a sum; in a sentence that would be a riddle.
    finders = {name for name, _, _ in ranked.found} | {TRENDING}
    main = next((f"mostly because {row.said}" for row in reasons if row.name in finders and row.adds > 0.0), by)
    if memory.looks < 0.5 and memory.reward <= 0.0:
        return f"{main}. Hardly anybody has looked at it for this search yet; its score is what was expected, {one_in(memory.expected)}."
    chosen = f"it was chosen {times}" if memory.reward > 0.0 else "nobody chose it"
    return f"{main}; {expected}, and {chosen} in {looks}."
