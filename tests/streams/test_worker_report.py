"""The line in which a worker says what it did."""

from streams.faust_app.report import line
from streams.faust_app.status import PartitionStatus, Place, Status


def status(counted, *, at=0, end=0, unsent=0):
    one = PartitionStatus(next={"impressions": at, "actions": 0}, unsent=unsent)
    return Status(counted=counted, partitions={0: one}, ends={Place("impressions", 0): end, Place("actions", 0): 0})


def test_the_line_counts_what_came_since_the_last_one_and_is_silent_while_nothing_does():
    first = status({"tick": 3, "quarantined_invalid": 1}, at=4, end=1_238, unsent=2)
    assert line(Status(), Status()) == ""
    assert line(Status(), first) == "in 10 s: 1 quarantined_invalid; 1,234 records behind, 2 messages to send"
    assert line(first, status({"tick": 9, "quarantined_invalid": 1, "redelivered": 7}, at=1_238, end=1_238)) == ""
    more = status({"tick": 9, "quarantined_invalid": 1, "impressions": 1_200}, at=1_237, end=1_238)
    assert line(first, more) == "in 10 s: 1,200 impressions; 1 records behind, 0 messages to send"
    assert line(more, more) == "in 10 s: nothing new; 1 records behind, 0 messages to send"
