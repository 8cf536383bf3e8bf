"""EventProducer without a broker: it takes events at once, keeps them, and hands them to the next process."""

import json
import shutil
import time

import pytest

from schemas.errors import InvalidMessage, Unavailable
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from streams.producer import EventProducer
from streams.producing.dispatch import Counters
from streams.producing.outgoing import from_line, outgoing

NOWHERE = "127.0.0.1:1"


def action(number):
    return {"action_id": f"a{number}", "search_id": f"s{number % 3}", "ts": 1_000 + number, "kind": "click", "entity_id": "e"}


def on_disk(folder):
    return [from_line(line) for path in sorted(folder.glob("*.spill")) for line in path.read_bytes().splitlines(keepends=True)]


def test_topic_and_key_of_each_event():
    impression = Impression(search_id="s1", ts=1, query={"text": "q"}, results=[])
    shown = SuggestImpression(suggest_id="g1", ts=1, prefix="ha", suggestions=["halo"])
    taken = SuggestAccept(suggest_id="g1", ts=2, suggestion="halo", position=1)
    assert outgoing(impression)[:2] == ("search.impressions", "s1")
    assert outgoing(Action.model_validate(action(1)))[:2] == ("search.actions", "s1")
    assert outgoing(shown)[:2] == ("search.impressions", "g1")
    assert outgoing(taken)[:2] == ("search.actions", "g1")


def test_what_no_broker_takes_is_on_disk_after_close_in_order_and_the_next_producer_has_it(tmp_path):
    producer = EventProducer(NOWHERE, spill=tmp_path)
    for number in range(50):
        assert producer.action(action(number))
    assert not producer.flush(0.1)
    assert not producer.close(0.0)
    assert [json.loads(event.value)["action_id"] for event in on_disk(tmp_path)] == [f"a{number}" for number in range(50)]
    counters = producer.counters()
    assert (counters.accepted, counters.sent, counters.spilled, counters.queued) == (50, 0, 50, 50)

    again = EventProducer(NOWHERE, spill=tmp_path)
    assert again.counters().recovered == 50
    assert again.action(Action.model_validate(action(50)))
    again.close(0.0)
    assert [json.loads(event.value)["ts"] for event in on_disk(tmp_path)] == list(range(1_000, 1_051))


def test_a_full_memory_queue_goes_on_disk_and_no_call_waits(tmp_path):
    producer = EventProducer(NOWHERE, spill=tmp_path, capacity=10)
    slowest = 0.0
    for number in range(2_000):
        began = time.perf_counter()
        assert producer.action(action(number))
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.25  # a call that waited for the broker would take 1 s or more
    producer.close(0.0)
    assert [json.loads(event.value)["ts"] for event in on_disk(tmp_path)] == list(range(1_000, 3_000))
    assert "Connection refused" in producer.counters().last_error


def test_bad_events_are_refused_with_the_field_and_count_nothing(tmp_path):
    producer = EventProducer(NOWHERE, spill=tmp_path)
    with pytest.raises(InvalidMessage, match="not a Action: kind"):
        producer.action({**action(1), "kind": "clicked"})
    with pytest.raises(InvalidMessage, match="results"):
        producer.impression({"search_id": "s", "ts": 1, "query": {}})
    features, sources = [-1024] * 256, [{"strategy": "s" * 64, "rank": rank, "score": 1e-300} for rank in range(1, 33)]
    results = [{"entity_id": f"{at:0256}", "position": at + 1, "sources": sources, "features": features} for at in range(100)]
    candidates = [{"entity_id": f"{at:0256}", "score": 0.0, "sources": sources, "features": features} for at in range(50)]
    text = {f"{at:0128}": "é" * 1024 for at in range(64)}
    heavy = {
        "search_id": "s",
        "ts": 1,
        "query": {},
        "results": results,
        "candidates": candidates,
        "attributes": text,
        "context": {"profile": text},
    }
    with pytest.raises(InvalidMessage, match="at most 1000000"):
        producer.impression(heavy)
    assert producer.counters() == Counters()
    producer.close(0.0)


def test_after_close_events_are_dropped_and_counted(tmp_path):
    producer = EventProducer(NOWHERE, spill=tmp_path)
    assert producer.close(0.0)
    assert not producer.action(action(1))
    assert producer.counters() == Counters(dropped=1, last_error="the producer is closed")
    assert producer.close(0.0)


def test_a_folder_serves_one_producer(tmp_path):
    producer = EventProducer(NOWHERE, spill=tmp_path)
    with pytest.raises(Unavailable, match="give each process its own"):
        EventProducer(NOWHERE, spill=tmp_path)
    producer.close(0.0)


def test_a_folder_that_vanishes_ends_nothing_and_is_said(tmp_path):
    folder = tmp_path / "spill"
    producer = EventProducer(NOWHERE, spill=folder, capacity=0)
    assert producer.action(action(0))  # on disk: memory has no room
    shutil.rmtree(folder)
    folder.mkdir()
    end = time.monotonic() + 10
    while not producer.counters().last_error:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert producer.action(action(1))
    assert not producer.close(0.1)
