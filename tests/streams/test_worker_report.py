"""The line in which a worker says what it did."""

from schemas.codec import encode
from schemas.events import Tick
from streams.faust_app.owner import Owner
from streams.faust_app.report import Report
from streams.kernel.changes import Record
from streams.kernel.join import RULES
from streams.partition_store import PartitionStore

HOUR = 3_600_000


def test_the_line_counts_what_came_since_the_last_one_and_is_silent_while_nothing_does(tmp_path):
    with PartitionStore.open(tmp_path / "partition-0.duckdb", 0, 1) as store:
        owner, report = Owner(store, RULES, now=HOUR), Report()
        assert report.line({0: owner}, behind=0) == ""
        owner.apply([Record("impressions", 0, HOUR, encode(Tick()), b""), Record("impressions", 1, HOUR, b"broken", b"")], HOUR)
        line = report.line({0: owner}, behind=1_234)
        assert line.startswith("in 10 s: 1 quarantined_invalid; 1,234 records behind, ")
        owner.apply([Record("impressions", 2, HOUR, encode(Tick()), b"")], HOUR)
        assert report.line({0: owner}, behind=0) == ""
        assert report.line({0: owner}, behind=1) == f"in 10 s: nothing new; 1 records behind, {owner.unsent} messages to send"
        assert report.line({}, behind=0) == ""
