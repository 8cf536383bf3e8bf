"""Faults 19 to 26: what comes in twice, in the wrong order, late, broken, from wrong clocks, or all at one place.

Each has a LOG of its own, made of the usual one; what must come of it is computed by the embedded run of that LOG.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from compare import ends_of_inputs
from fleet import Applied, Fleet
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from load import MINUTE, SECOND, TOPICS, broken_line, line_of
from scenarios import Run, Scenario, nothing

from schemas.codec import decode_event, encode
from schemas.errors import InvalidMessage
from schemas.events import Action, Impression
from schemas.ids import digest
from streams.clients import DisposableProducer, connect
from streams.kernel.changes import INPUTS
from streams.kernel.join import RULES
from streams.partitioning import partition
from streams.replaying.recording import Line
from streams.replaying.replay import Placed, replay

DAY = 24 * 60 * MINUTE
LARGE = 10_000_000  # bytes of a message, where the broker was told to take such
PLACES, HOT = 8, 3  # the partitions of a run, and the one that gets half of it
MADE: dict[str, Counter[str]] = {}  # by scenario, what its LOG holds of the fault


def _readable(lines: Sequence[Line]) -> Iterator[tuple[Line, Impression | Action]]:
    for line in lines:
        with suppress(InvalidMessage):
            if isinstance(event := decode_event(line.value), Impression | Action):
                yield line, event


def _sorted(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.time)


def doubled(lines: Sequence[Line]) -> list[Line]:
    """A third of all events twice in a row, a fifth again minutes later; the state must be that of the LOG without them."""
    rng, made, out = random.Random(19), Counter[str](), list[Line]()
    for line in lines:
        out.append(line)
        if rng.random() < 0.33:
            out.append(line)
            made["twice in a batch"] += 1
        if rng.random() < 0.2:
            out.append(line._replace(time=min(line.time + rng.randrange(MINUTE, 20 * MINUTE), lines[-1].time)))
            made["again in another batch"] += 1
    made["same state without the copies"] = replay(lines, partitions=4, batch=1_000, interleave="even", rules=RULES) == replay(
        _sorted(out), partitions=4, batch=1_000, interleave="even", rules=RULES
    )
    MADE["doubles"] = made
    return _sorted(out)


def disordered(lines: Sequence[Line]) -> list[Line]:
    """Actions minutes before their page, after its final, and after the window; three of four pages have none."""
    rng, made, out, pages = random.Random(20), Counter[str](), list[Line](), dict[str, int]()
    for line, event in _readable(lines):
        if isinstance(event, Impression):
            pages.setdefault(event.search_id, line.time)
            out.append(line)
    acted = {search for search in pages if rng.random() < 0.25}
    made |= {"pages without action": len(pages) - len(acted)}
    for search in sorted(acted):
        for nth in range(rng.randrange(1, 4)):
            name, low, high = rng.choice((("before the page", -29, 0), ("after the final", 11, 30), ("after the window", 31, 90)))
            at = pages[search] + rng.randrange(low * MINUTE + SECOND, high * MINUTE)
            out.append(line_of(Action(action_id=f"{nth}", search_id=search, ts=at, kind="click", entity_id="nowhere"), at))
            made[name] += 1
    MADE["disorder"] = made
    return _sorted(out)


def unusual(good: dict[str, Any]) -> list[bytes | None]:
    """What no decoder may let pass and nothing may end a worker for; at the end what is strange and yet an event."""
    results, nested = good["results"], {"a": 1}
    for _ in range(200):
        nested = {"a": nested}  # type: ignore[dict-item]
    changes: list[dict[str, Any]] = [
        {"search_id": 1}, {"search_id": {}}, {"ts": -1}, {"ts": 2**63}, {"ts": 1.5}, {"ts": 1e308}, {"ts": float("nan")},
        {"ts": float("inf")}, {"results": results * 20}, {"extra": 1}, {"schema_version": 9}, {"schema_version": 0}, {"page": "1"},
        {"page": -1}, {"query": {"text": "\ud800"}}, {"type": "tock"}, {"results": None}, {"attributes": nested},
        {"results": [results[0] | {"position": -1}]}, {"results": [results[0] | {"position": 0}]},
        {"results": [results[0] | {"score": float("-inf")}]}, {"results": [results[0] | {"score": float("nan")}]},
    ]  # fmt: skip
    missing = [{name: value for name, value in good.items() if name != left_out} for left_out in ("search_id", "ts", "results", "type")]
    arms = [arm | {"name": "nobody"} for arm in good["decision"]["arms"][:1]]
    nobody = good["decision"] | {"arms": arms, "available": ["nobody"]}
    accepted: list[dict[str, Any]] = [
        {"search_id": "unknown-arm", "decision": nobody}, {"search_id": "large-score", "results": [results[0] | {"score": 1e308}]}
    ]  # fmt: skip
    return [
        None, b"", b"\x00" * 400, b"\xff\xfe\xfd", b"\xc3\x28", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"NaN", b"null", b"[]", b"0",
        b'{"type":"action","ts":1e400}', b'{"type":"action","ts":%d}' % 10**30, b'{"type":"impression","search_id":"\\ud800"}',
        b'"' + b"x" * 700_000 + b'"', *(json.dumps(good | change).encode() for change in changes),
        *(json.dumps(one).encode() for one in missing), *(json.dumps(good | change).encode() for change in accepted),
    ]  # fmt: skip


def poisoned(lines: Sequence[Line]) -> list[Line]:
    """All of `unusual`, by turns in both inputs, some ten times; and one message of 10 MB in each."""
    good = next(json.loads(line.value) for line, event in _readable(lines) if isinstance(event, Impression) and event.decision)
    worst, out = unusual(good), list[Line]()
    step = max(1, len(lines) // (10 * len(worst)))
    large = {len(lines) // 3: "impressions", len(lines) // 2: "actions"}
    for at, line in enumerate(lines):
        out.append(line)
        if at % step == 0:
            nth = at // step
            out.append(broken_line(INPUTS[nth // len(worst) % 2], line.time, worst[nth % len(worst)]))  # type: ignore[arg-type]
        if at in large:
            text = random.Random(at).randbytes(LARGE // 2).hex()  # no codec makes it small
            value = json.dumps(good | {"search_id": f"large-{at}", "query": {"text": text}}).encode()
            out.append(Line(INPUTS[0] if large[at] == "impressions" else INPUTS[1], line.time, digest(value), value))
    MADE["poison"] = Counter({"kinds": len(worst) + 1, "messages": len(out) - len(lines), "of 10 MB": len(large)})
    return out


def from_wrong_clocks(lines: Sequence[Line]) -> list[Line]:
    """A tenth of the events with `ts` of 1970, of days to come or in other units; copies that the broker holds for old."""
    rng, made, out = random.Random(24), Counter[str](), list[Line]()
    for line, event in _readable(lines):
        roll = rng.random()
        wrong = {
            "1970": 0, "1970, in seconds": line.time // 1_000, "two days ahead": line.time + 2 * DAY,
            "in 100 years": line.time + 36_525 * DAY,
            "23 hours ahead": line.time + 23 * DAY // 24, "23 hours ago": line.time - 23 * DAY // 24,
        }  # fmt: skip
        if roll < 0.1:
            name = rng.choice(list(wrong))
            made[f"ts {name}"] += 1
            out.append(line._replace(value=encode(event.model_copy(update={"ts": wrong[name]}))))
        else:
            out.append(line)
        if roll > 0.99:  # a copy: what has no time of its own gets that of its partition, and there are more than one way to cut a LOG
            made["records that the broker holds for old"] += 1
            out.append(out[-1]._replace(time=1))
    MADE["clocks"] = made
    return [*out, *lines[-1:]]


def hot(lines: Sequence[Line]) -> list[Line]:
    """Half of all searches are of one query and lie on one partition."""
    names: dict[str, str] = {}
    rng, out = random.Random(25), list[Line]()
    for line, event in _readable(lines):
        old = event.search_id
        if old not in names:
            names[old] = (
                next(name for nth in count() if partition(name := f"hot-{old}-{nth}", PLACES) == HOT) if rng.random() < 0.45 else old
            )
        change: dict[str, Any] = {"search_id": names[old]}
        if names[old] != old and isinstance(event, Impression):
            change["query"] = event.query.model_copy(update={"text": "the hot query"})
        out.append(Line(line.topic, line.time, names[old], encode(event.model_copy(update=change))))
    there = sum(partition(line.key, PLACES) == HOT for line in out)
    MADE["hot"] = Counter({"% of the records on one partition": round(100 * there / len(out))})
    return out


def made(name: str) -> Any:
    """Note what the LOG of a scenario holds of its fault; a kind of which it holds nothing is wrong."""

    def note(run: Run) -> list[str]:
        run.notes |= {what: float(number) for what, number in MADE[name].items()}
        return [f"the LOG has none of: {what}" for what, number in MADE[name].items() if not number]

    return note


def astray(run: Run, seconds: float) -> None:
    """Copies of what was sent a while ago, on partitions where they do not belong."""
    producer: Any = connect(DisposableProducer, run.bootstrap, enable_idempotence=False, acks="all")
    copies = sent = 0
    for _ in range(7):
        run.wait(seconds / 14)
        # Of what came before the last wait: a copy that overtakes its event would be the event, with another time.
        events = [one for one in run.records[max(0, sent - 400) : sent] if one.key and _is_event(one)]
        sent = run.load.sent
        for one in events[:40]:
            producer.send(
                TOPICS[one.topic], one.value, one.key.encode() if one.key else None, partition=(one.partition + 1) % run.partitions,
                timestamp_ms=one.time,
            ).get(10)  # fmt: skip
            copies += 1
    producer.close(timeout=0.2)
    run.notes["copies on wrong partitions"] = copies
    run.must("all has been sent", run.sent, 4 * seconds)
    run.must("all is applied, what was sent on included", lambda: _settled(run), 60.0)
    arrived = sum(map(sum, ends_of_inputs(run.bootstrap, TOPICS, run.partitions).values()))
    run.wrong += [] if arrived >= run.load.sent + 2 * copies else [f"{arrived} records for {run.load.sent} and {copies} copies sent on"]


def _settled(run: Run) -> bool:
    """All is applied, and nothing more came of it in 3 s."""
    if not run.all_applied():
        return False
    run.wait(3.0)
    return run.all_applied()


def _is_event(one: Placed) -> bool:
    try:
        return isinstance(decode_event(one.value or b""), Impression | Action)
    except InvalidMessage:
        return False


def room_for_large(run: Run) -> None:
    client = connect(KafkaAdminClient, run.bootstrap)
    client.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(2 * LARGE)}) for topic in TOPICS.values()]
    )
    client.close()


def again_from_nothing(run: Run) -> list[str]:
    """A new group with empty disks reads both inputs from offset 0: the same state, byte for byte."""
    fleet = Fleet(run.bootstrap, run.folder / "again", group=f"{run.fleet.group}-again")
    other, applied = [], Applied(fleet.folder)
    ends = ends_of_inputs(run.bootstrap, TOPICS, run.partitions)
    try:
        for slot in "ab":
            fleet.start(slot)
        run.must("all is applied again", lambda: applied.look().next == ends, 120.0)
        fleet.stop_all()
    finally:
        fleet.end()
    state, _ = fleet.left(run.partitions)
    other = [f"digest of {part} differs after the replay" for part in run.expected.digest if state.get(part) != run.expected.digest[part]]
    run.notes["records applied again"] = sum(map(sum, applied.next.values()))
    return [*other, *fleet.unexpected]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "doubles", "every second event again: in the same batch, in later ones, and on partitions where it does not belong", 16, astray,
        numbers=(19,), lines=doubled, judge=made("doubles"),
    ),
    Scenario(
        "disorder", "actions before their page, after its final, after the window; pages without any", 14, nothing, numbers=(20, 21, 22),
        lines=disordered, judge=made("disorder"),
    ),
    Scenario(
        "poison", "bad UTF-8 and JSON, null, 10 MB, deep nesting, NaN, Inf, 1e308, other versions, fields, positions, arms", 16, nothing,
        numbers=(23,), lines=poisoned, before=room_for_large, judge=made("poison"),
    ),
    Scenario(
        "clocks", "events of 1970, of days to come, in other units; records that the broker holds for old", 12, nothing, numbers=(24,),
        lines=from_wrong_clocks, judge=made("clocks"),
    ),
    Scenario("hot", "half the load is one query on one partition", 14, nothing, numbers=(25,), lines=hot, judge=made("hot")),
    Scenario("replay", "a new group with empty disks reads all again from offset 0", 12, nothing, numbers=(26,), judge=again_from_nothing),
)  # fmt: skip
