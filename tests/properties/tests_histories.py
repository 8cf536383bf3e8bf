"""Histories of a search box, generated: early, late, doubled, changed, misrouted and broken events, over two days."""

from dataclasses import dataclass

from hypothesis import strategies as st

from learners.rewards import REWARDS
from schemas.base import HOUR_MS
from schemas.codec import encode
from schemas.decisions import Arm, Decision
from schemas.events import Action, Impression, Query, Result, Source, Tick
from streams.kernel.changes import INPUTS, Input, Record
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.kernel.seen_ids import SeenIds
from streams.kernel.share import Share, digest_state
from streams.partitioning import partition

RULES = Rules(rewards=REWARDS)
START = 400_000 * HOUR_MS
MINUTE = 60_000
END = START + 60 * HOUR_MS


@dataclass(frozen=True)
class Line:
    """One record of a log before it is cut into partitions. `place` is the key that the producer chose, right or wrong."""

    topic: Input
    time: int
    place: str
    value: bytes


def impression(search: int, page: int, ts: int, *, variant: int = 0, decided: bool = True) -> Impression:
    entities = [f"e{(search + page + i) % 7}" for i in range(3)]
    results = [
        Result(entity_id=e, position=3 * (page - 1) + i + 1, sources=[Source(strategy=s, rank=i + 1, score=1.0) for s in by])
        for i, (e, by) in enumerate(zip(entities, (["lex"], ["lex", "mem"], ["mem"]), strict=True))
    ]
    arms = [
        Arm(name="lex", asked=True, propensity=0.7, phi=[256, 10 * (search % 5)], returned=12),
        Arm(name="mem", asked=search % 3 > 0, propensity=0.5, phi=[256, -3], returned=3 if search % 3 else 0),
    ]
    decision = Decision(decision_id=f"d{search}", content_id="c", seq=1, available=["lex", "mem"], arms=arms) if decided else None
    query = Query(text=f"q{search % 4}")
    return Impression(
        search_id=f"s{search}", page=page, ts=ts, client_id=f"u{search % 3}", query=query, decision=decision, feature_schema="f",
        results=results, application=f"v{variant}",
    )  # fmt: skip


def action(search: int, number: int, ts: int, *, entity: int = 0, kind: str = "click") -> Action:
    return Action.model_validate(
        {"action_id": f"a{number}", "search_id": f"s{search}", "ts": ts, "kind": kind, "entity_id": f"e{(search + entity) % 7}"}
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    """A sorted log of both inputs. Times are minutes, so that events meet the edges of windows and of each other."""
    lines: list[Line] = []
    minute = st.sampled_from([0, 1, 9, 10, 11, 20, 29, 30, 31, 40, 100, 24 * 60, 25 * 60, 26 * 60])
    for search in range(draw(st.integers(1, 6))):
        start = START + draw(minute) * MINUTE
        events: list[tuple[Input, int, Impression | Action]] = []
        for page in range(1, draw(st.integers(1, 3)) + 1):
            at = start + draw(minute) * (page - 1) * MINUTE
            shift = draw(st.sampled_from([0, 0, 0, -3 * HOUR_MS, 30 * HOUR_MS]))
            decided = page == 1 or draw(st.integers(0, 5)) > 0
            events.append(("impressions", at, impression(search, page, at + shift, decided=decided)))
        for number in range(draw(st.integers(0, 5))):
            at = start + (draw(minute) - draw(st.sampled_from([0, 0, 5, 30, 31]))) * MINUTE
            kind = draw(st.sampled_from(["click", "click", "viewed", "purchase"]))
            events.append(("actions", at, action(search, number, at, entity=draw(st.integers(0, 8)), kind=kind)))
        for topic, at, event in events:
            place = event.search_id if draw(st.integers(0, 9)) else "elsewhere"
            for copy in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
                value = encode(event.model_copy(update={"ts": event.ts + 1}) if copy and draw(st.booleans()) else event)
                lines.append(Line(topic, at + copy * draw(minute) * MINUTE, place, value))
    for broken in draw(st.lists(st.sampled_from([b"{", b"null", b'{"type":"action"}', b"\xff"]), max_size=2)):
        for place in draw(st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3)):
            lines.append(Line(draw(st.sampled_from(INPUTS)), START + draw(minute) * MINUTE, place, broken))
    return sorted((line for line in lines if START <= line.time < END), key=lambda line: line.time)


def run(history: list[Line], partitions: int, batch: int, order: list[int], *, restart_every: int = 0) -> dict[str, str]:
    """The digest after the whole log went through `partitions` kernels: batches of `batch`, inputs interleaved by `order`."""
    logs: dict[tuple[Input, int], list[tuple[int, bytes, bytes]]] = {(topic, p): [] for topic in INPUTS for p in range(partitions)}
    for line in history:
        logs[line.topic, partition(line.place, partitions)].append((line.time, line.value, line.place.encode()))
    kernels, shares, steps = [Kernel(p, partitions, RULES) for p in range(partitions)], [Share() for _ in range(partitions)], 0
    saved: list[tuple[list[object], list[object]]] = [([], []) for _ in range(partitions)]
    for ending in (False, True):
        if ending:
            for log in logs.values():
                log.append((END + 100 * HOUR_MS, encode(Tick()), b""))
        at = dict.fromkeys(logs, 0)
        while left := [key for key in logs if at[key] < len(logs[key])]:
            steps += 1
            topic, p = left[order[steps % len(order)] % len(left)]
            records = [Record(topic, o, *logs[topic, p][o]) for o in range(at[topic, p], min(at[topic, p] + batch, len(logs[topic, p])))]
            at[topic, p] += len(records)
            changes = kernels[p].apply(records)
            shares[p].add(changes)
            saved[p][0].extend(changes.ids)
            saved[p][1].extend(changes.events)
            for out in changes.outgoing:
                for name, topic_ in (("search.impressions", "impressions"), ("search.actions", "actions")):
                    if out.topic == name and not ending:
                        log = logs[topic_, out.partition]  # type: ignore[index]
                        log.append((max([out.time, *(line[0] for line in log[-1:])]), out.value, out.key.encode()))
            if restart_every and steps % restart_every == 0:
                old = kernels[p]
                kernels[p] = Kernel.restore(
                    p, partitions, RULES, next_=old.next, times=old.clock.times, ids=SeenIds(saved[p][0]), events=saved[p][1]  # type: ignore[arg-type]
                )  # fmt: skip
    return digest_state(shares, kernels)
