"""The worker on a real broker, in short: what `make faults` does for minutes. It also fails when private names of Faust have moved."""

import pytest
from compare import Expected
from load import searches
from process_faults import kills
from scenarios import Scenario, play

from streams.kernel.join import RULES
from streams.replaying.replay import placed

PARTITIONS = 8


@pytest.mark.timeout(120)
def test_three_killed_workers_leave_what_the_embedded_run_leaves(node, bootstrap, tmp_path):
    """Two workers, a load of ten seconds, three SIGKILLs: one digest, each id once, the same rows, nothing unacknowledged, lag zero."""
    lines = searches(1_000)
    scenario = Scenario("kills", "3 SIGKILLs", 10, lambda run, seconds: kills(run, seconds, count=3))
    records, expected = list(placed(lines, PARTITIONS, rules=RULES)), Expected.of(lines, PARTITIONS)
    figures = play(scenario, records, expected, node=node.folder, bootstrap=bootstrap, folder=tmp_path, partitions=PARTITIONS)
    assert figures["wrong"] == []
    assert figures["state"] == expected.digest["state"]
    assert figures["records"] == len(records)
