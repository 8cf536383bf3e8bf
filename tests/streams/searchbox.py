"""A search box before one kernel: every call is one record, and gives what it changed. Times are ms after START."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from learners.rewards import REWARDS
from schemas.base import HOUR_MS
from schemas.codec import decode, decode_conclusion, encode
from schemas.decisions import Always, Arm, Decision
from schemas.events import ACTION_KINDS, Action, Impression, Query, Result, Source, Tick
from schemas.outcomes import Quarantined
from schemas.topics import OUTCOMES, QUARANTINE
from streams.kernel.changes import INPUTS, Changes, Input, Record
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel

START = 400_000 * HOUR_MS  # 16:00 of day 16,666
DAY, HOUR = 16_666, 400_000
MIN, WINDOW, SETTLE = 60_000, 30 * 60_000, 10 * 60_000
RULES = Rules(rewards=REWARDS)
LEX = Arm(name="lex", asked=True, propensity=0.7, phi=[256, 128], returned=12)
MEM = Arm(name="mem", asked=True, propensity=0.5, phi=[256, -64], returned=3)
RESULTS: Mapping[str, Mapping[str, int]] = {"a": {"lex": 1}, "b": {"lex": 2, "mem": 1}, "c": {"mem": 7}}


def decision(arms: Sequence[Arm] = (LEX, MEM), *, always: Sequence[Always] = (), decision_id: str = "d") -> Decision:
    names = [one.name for one in (*arms, *always)]
    return Decision(decision_id=decision_id, content_id="c", seq=1, available=names, arms=[*arms], always=[*always])


DECIDED = decision()


def page(
    search: str = "s", *, number: int = 1, at: int = 0, results: Mapping[str, Mapping[str, int]] = RESULTS, first: int = 1,
    by: Decision | None = DECIDED, **more: Any,
) -> Impression:  # fmt: skip
    """An impression with `ts` = START + at; `results` maps entities, from position `first` on, to ranks by strategy."""
    shown = [
        Result(entity_id=entity, position=first + index, sources=[Source(strategy=s, rank=rank, score=1.0) for s, rank in ranks.items()])
        for index, (entity, ranks) in enumerate(results.items())
    ]
    plain = {"client_id": "u", "query": Query(text="Halo 3"), "feature_schema": "f"} | more
    return Impression(search_id=search, page=number, ts=START + at, decision=by, results=shown, **plain)


def act(action_id: str, *, at: int = 0, search: str = "s", entity: str | None = "a", kind: str = "click", **more: Any) -> Action:
    plain = {"action_id": action_id, "search_id": search, "ts": START + at, "entity_id": entity, "kind": kind}
    return Action.model_validate(plain | more)


def record(offset: int, event: Impression | Action | Tick | bytes | None, at: int, topic: Input | None = None) -> Record:
    """Record `offset` of the topic that belongs to the event, at log time START + at."""
    to: Input = topic or ("impressions" if isinstance(event, Impression) else "actions")
    return Record(to, offset, START + at, event if event is None or isinstance(event, bytes) else encode(event))


class Box:
    """One kernel. A batch is one record, unless `together` is used."""

    def __init__(self, kernel: Kernel | None = None, *, rules: Rules = RULES) -> None:
        self.kernel = kernel or Kernel(0, 1, rules)

    def put(self, event: Impression | Action | Tick | bytes | None, at: int | None = None, topic: Input | None = None) -> Changes:
        """One record; its log time is the event's own unless `at` is given."""
        time = at if at is not None else event.ts - START  # type: ignore[union-attr]
        one = record(0, event, time, topic)
        return self.kernel.apply([one._replace(offset=self.kernel.next[one.topic])])

    def pass_to(self, at: int) -> Changes:
        """Ticks at START + at on both inputs."""
        offsets = self.kernel.next
        return self.kernel.apply([record(offsets[topic], Tick(), at, topic) for topic in INPUTS])


def conclusions(changes: Changes) -> list[Any]:
    """Finals and amendments of a batch."""
    return [decode_conclusion(out.value) for out in changes.outgoing if out.topic == OUTCOMES.name]


def quarantined(changes: Changes) -> list[Quarantined]:
    return [decode(Quarantined, out.value) for out in changes.outgoing if out.topic == QUARANTINE.name]


def reasons(changes: Changes) -> list[str]:
    return [one.reason for one in quarantined(changes)]


def counts(changes: Changes) -> dict[str, tuple[dict[int, int], dict[str, int], int]]:
    """By entity: shown by bin, acted by kind (zeros left out), clients."""
    return {
        key[2]: (
            {bin_: n for bin_, n in enumerate(row[:6]) if n},
            {kind: n for kind, n in zip(ACTION_KINDS, row[6:], strict=True) if n},
            len(clients),
        )
        for key, (row, clients) in changes.memory.items()
    }


def sums(changes: Changes, kind: str, arm: str) -> list[int]:
    """The only tally row of this kind and arm; empty when nothing changed."""
    found = [one.tolist() for key, one in changes.tallies.items() if key[:2] == (kind, arm)]
    assert len(found) <= 1
    return found[0] if found else []


def nothing(changes: Changes) -> bool:
    """Did no sum, open search or message come of it?"""
    sums_left = any(one.any() for one in changes.tallies.values())
    return not (changes.memory or changes.events or changes.outgoing or changes.sets or sums_left)


def traffic(seed: int, searches: int = 30) -> list[tuple[Input, int, str, bytes]]:
    """(topic, time, key, value) in order of time over two hours and one on the next day: pages, early and late actions, doubles,
    other content under a known id, and bytes that are no event; at the end ticks that close everything but the last searches."""
    rng, lines = random.Random(seed), []
    for number in range(searches):
        search, start = f"s{number}", rng.choice([0, 0, 0, 26 * 60]) * MIN + rng.randrange(120) * MIN
        query = {"query": Query(text=f"q{number % 4}"), "client_id": f"u{number % 12}"}
        for nth in range(1, rng.choice([2, 2, 3])):
            shown = page(
                search, number=nth, at=start + nth - 1, first=10 * nth, results=RESULTS if nth == 1 else {"z": {"lex": 11}}, **query
            )
            lines.append((start + (nth - 1) * 11 * MIN, shown))
        for nth in range(rng.randrange(5)):
            at = start + rng.choice([-31, -3, 0, 1, 9, 10, 11, 29, 31]) * MIN + rng.choice([-1, 0, 1])
            lines.append((max(0, at), act(f"{nth}", search=search, at=at, entity=rng.choice("abcxz"), kind=rng.choice(ACTION_KINDS[:5]))))
    lines += [(time + rng.randrange(40) * MIN, event) for time, event in rng.sample(lines, 8)]
    lines += [(time + MIN, event.model_copy(update={"session_id": "other"})) for time, event in rng.sample(lines, 3)]
    plain = [("impressions" if isinstance(event, Impression) else "actions", time, event.search_id, encode(event)) for time, event in lines]
    plain += [(topic, rng.randrange(90) * MIN, "x", b"{%d" % rng.randrange(3)) for topic in INPUTS]
    return sorted(((topic, START + time, key, value) for topic, time, key, value in plain), key=lambda line: line[1])


def records(seed: int) -> list[Record]:
    """The same as records of one partition, with ticks on both inputs every hour."""
    out: list[Record] = []
    offsets: Counter[str] = Counter()

    def put(topic: Input, time: int, value: bytes) -> None:
        out.append(Record(topic, offsets[topic], time, value))
        offsets[topic] += 1

    ticked = START
    for topic, time, _, value in traffic(seed):
        if time - ticked > 60 * MIN:
            ticked = time
            for one in INPUTS:
                put(one, time, encode(Tick()))
        put(topic, time, value)
    return out
