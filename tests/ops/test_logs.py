"""The log of a running worker: what comes through, and what is held back."""

import json
import logging
import sys

import pytest

from ops.logs import OneLine, OneObject, Sparing
from schemas.errors import StaleLog


@pytest.fixture
def heard():
    """heard(at, logger, level, message, *args) -> the line that is written at that second, None when it is held back."""
    now = [0.0]
    sparing, formatter = Sparing(clock=lambda: now[0]), OneLine("%(levelname)s %(name)s: %(message)s")

    def say(at, name, level, message, *args):
        now[0] = at
        record = logging.LogRecord(name, level, "here.py", 1, message, args, None)
        return formatter.format(record) if sparing.filter(record) else None

    return say


def test_one_warning_of_a_kind_comes_through_a_minute_and_the_next_says_how_many_did_not(heard):
    template = "Topic %s is not available during auto-create initialization, %s"
    assert heard(0.0, "aiokafka", logging.ERROR, template, "t", 1) == "ERROR aiokafka: " + template % ("t", 1)
    assert heard(0.1, "aiokafka", logging.ERROR, template, "u", 2) is None
    assert heard(59.9, "aiokafka", logging.ERROR, template, "t", 3) is None
    assert heard(60.0, "aiokafka", logging.ERROR, template, "t", 4).endswith(", 4 (2 more like it since)")
    assert heard(120.0, "aiokafka", logging.ERROR, template, "t", 5).endswith(", 5")


def test_messages_that_were_formatted_before_differ_in_more_than_numbers(heard):
    assert heard(0.0, "kafka.net", logging.ERROR, "attempt 1 failed (backoff 0.12 secs)")
    assert heard(0.1, "kafka.net", logging.ERROR, "attempt 17 failed (backoff 0.55 secs)") is None
    assert heard(0.2, "kafka.net", logging.ERROR, "SASL failed")
    assert heard(0.3, "kafka.cluster", logging.ERROR, "attempt 1 failed (backoff 0.12 secs)")


OUTAGE = [  # logger, template, argument: what a worker's clients say ten times a second while its broker is away
    ("aiokafka", "Unable connect to node with id %s: [Errno 111] Connect call failed ('127.0.0.1', 54057)", 1),
    ("aiokafka", "Unable to update metadata from %s", [1]),
    (
        "aiokafka.consumer.fetcher",
        "Failed fetch messages from 1: NodeNotReadyError: %s",
        "Attempt to send a request to node which is not ready",
    ),
    ("aiokafka.consumer.group_coordinator", "Marking the coordinator dead (node %s)for group forage.", 1),
    ("aiokafka.consumer.group_coordinator", "Heartbeat session expired - marking coordinator dead%s", ""),
    ("aiokafka.producer.sender", "Got error produce response: NodeNotReadyError: %s", "Attempt to send a request"),
    ("kafka.net.transport", "<KafkaTCPTransport [%s]>: Abort (KafkaConnectionError: socket disconnected)", "127.0.0.1"),
    ("kafka.net.transport", "<KafkaTCPTransport [%s]>: Error receiving network data closing socket", "none"),
    ("kafka.net.connection", "<KafkaConnection node_id=%s (disconnected)>: Connection lost: KafkaConnectionError: 111 ECONNREFUSED", 1),
    ("kafka.net.manager", "Bootstrap failed: KafkaTimeoutError: Unable to bootstrap from %s", "127.0.0.1:54057"),
    ("kafka.net.connection", "<KafkaConnection node_id=%s (initializing)>: Request timed out after 6 ms. Closing connection.", 1),
    ("kafka.net.manager", "Bootstrap bootstrap-0 not ready; waiting %s secs", 0.1),
    ("kafka.cluster", "No node available for metadata refresh - backoff/retry%s", ""),
    ("kafka.coordinator", "Error sending FindCoordinatorRequest to node %s [KafkaConnectionError: 111 ECONNREFUSED]", 1),
]


def test_an_outage_costs_a_line_a_minute_and_library(heard):
    lines = [
        (at / 10, line)
        for at in range(0, 1_800)
        for logger, template, about in OUTAGE
        if (line := heard(at / 10, logger, logging.ERROR, template, about))
    ]
    assert [(at, line.split()[1].partition(".")[0].strip(":")) for at, line in lines] == [
        (at, library) for at in (10.0, 70.0, 130.0) for library in ("aiokafka", "kafka")
    ]
    assert all("more like it since" in line for _, line in lines)


def test_a_coordinator_that_is_only_just_chosen_frightens_nobody(heard):
    template = "Marking the coordinator dead (node %s) for group %s: [Error 16] NotCoordinatorError."
    assert heard(0.0, "kafka.coordinator", logging.WARNING, template, "coordinator-1", "forage.publisher") is None
    assert heard(3.0, "kafka.coordinator", logging.WARNING, template, "coordinator-1", "forage.publisher") is None
    assert heard(40.0, "kafka.coordinator", logging.WARNING, template, "coordinator-1", "forage.publisher") is None  # another one
    refused = "Failed fetch messages from 1: [Error 29] TopicAuthorizationFailedError: %s"
    assert heard(40.1, "aiokafka.consumer.fetcher", logging.ERROR, refused, "search.actions")


def test_our_own_warnings_are_told_apart_by_what_they_are_about(heard):
    assert heard(0.0, "streams.reading.follower", logging.WARNING, "topic %s cannot be read now", "state.shares")
    assert heard(0.1, "streams.reading.follower", logging.WARNING, "topic %s cannot be read now", "policy.snapshots")
    assert heard(0.2, "streams.reading.follower", logging.WARNING, "topic %s cannot be read now", "state.shares") is None


def test_single_events_pass_and_transactions_do_not(heard):
    for partition in range(3):
        assert heard(0.0, "streams.faust_app.owners", logging.INFO, "partition %d released", partition)
    line = "applied %d: %s to %s in %.3f s at %.3f"
    assert heard(0.0, "streams.faust_app.worker", logging.INFO, line, 0, [0, 0], [1, 1], 0.1, 1.0) is None


def test_a_message_of_several_lines_is_one(heard):
    assert heard(0.0, "faust", logging.WARNING, "topics:\n+----+\n| a  |") == "WARNING faust: topics: +----+ | a |"


@pytest.mark.parametrize(("error", "lines"), [(StaleLog("move the folder away"), 1), (ValueError("a mistake of ours"), 2)])
def test_what_was_refused_on_purpose_needs_no_traceback(error, lines):
    record = logging.LogRecord("mode", logging.ERROR, "here.py", 1, "crashed", (), (type(error), error, None))
    text = OneLine("%(levelname)s %(message)s").format(record)
    assert str(error) in text
    assert len(text.splitlines()) == lines


def test_for_programs_a_line_is_one_object():
    formatter = OneObject("stream", "w1")
    record = logging.LogRecord("streams.faust_app.owners", logging.INFO, "here.py", 1, "partition %d released", (3,), None)
    record.created = 1_800_000_000.25
    assert json.loads(formatter.format(record)) == {
        "ts": "2027-01-15T08:00:00.250+00:00", "level": "INFO", "role": "stream", "instance": "w1",
        "logger": "streams.faust_app.owners", "message": "partition 3 released", "partition": 3,
    }  # fmt: skip
    try:
        raise ValueError("a mistake of ours")
    except ValueError:
        record = logging.LogRecord("mode", logging.ERROR, "here.py", 1, "crashed\nbadly", (), sys.exc_info())
    text = OneObject("publisher").format(record)
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert (line["message"], "partition" in line, "instance" in line) == ("crashed badly", False, False)
    assert line["traceback"].splitlines()[-1] == "ValueError: a mistake of ours"
