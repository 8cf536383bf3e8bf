"""Erasures in a worker whose broker is away: what is due is not added up again and again meanwhile."""

import asyncio

import pytest

from schemas.errors import Unavailable
from schemas.events import Tick
from schemas.topics import OUTCOMES
from streams.erasing.requests import Requests
from streams.faust_app import eraser
from streams.faust_app.config import WorkerConfig
from streams.faust_app.eraser import REST, Eraser
from streams.kernel.changes import INPUTS
from tests.streams.erasing_rig import Rig, hashed
from tests.streams.searchbox import MIN, RULES, START, WINDOW, act, page, record


@pytest.fixture
def rig(tmp_path):
    """A search of one person is counted, and its outcome is on the topic."""
    rig = Rig(tmp_path / "partition-0.duckdb")
    events = [(page("s", client_id="ann"), 0), (act("a", search="s", at=MIN), MIN)]
    events += [(Tick(), 3 * WINDOW, topic) for topic in INPUTS]
    offsets = dict.fromkeys(INPUTS, 0)
    for event in events:
        one = record(0, *event)
        rig.apply([one._replace(offset=offsets[one.topic])])
        offsets[one.topic] += 1
    rig.send()
    yield rig
    rig.owner.close()


def test_while_outcomes_cannot_be_read_a_partition_is_left_alone(rig, monkeypatch, tmp_path):
    now, looked, away = [0.0], [], [True]

    def scan(*_, **__):
        looked.append(now[0])
        if away[0]:
            raise Unavailable("no broker")
        return [one.value for one in rig.topics[OUTCOMES.name]]

    monkeypatch.setattr(eraser, "scan", scan)
    asked = Requests(until={hashed("ann"): START + WINDOW}, count=1)
    config = WorkerConfig(bootstrap="127.0.0.1:1", folder=tmp_path, rules=RULES)
    erasing = Eraser(config, {0: rig.owner}, asked, stop=lambda: False, clock=lambda: now[0])
    for second in range(int(2 * REST) + 2):
        now[0] = float(second)
        asyncio.run(erasing.step())
    assert looked == [0.0, REST, 2 * REST]
    away[0], now[0] = False, 3 * REST
    asyncio.run(erasing.step())
    (erasure,) = rig.owner.store.erasings()
    assert (len(looked), erasure.searches) == (4, 1)
