"""The closed loop on real clicks, in short: what `forage evaluate loop` and `forage data digest` do at length."""

import pytest

from evaluation.click_log import searches
from evaluation.contenders import contenders
from evaluation.datasets.bestbuy import import_bestbuy
from evaluation.loop import replay
from ops.definitions import STRATEGIES, definition
from ops.evaluating import systems
from streams.kernel.join import RULES
from streams.replaying.recording import Recorder, read_log
from streams.replaying.replay import replay as replayed
from streams.replaying.stored_replay import replay_with_stops

SEARCHES = 1_500
FIELD = ("learned", "lexical", "memory", "popular")

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def run(real_source, tmp_path_factory):
    """(what was judged, the LOG) of one run of the whole system over the first searches of the log."""
    folder = tmp_path_factory.mktemp("loop")
    dataset, path = import_bestbuy(real_source, folder / "data"), folder / "log.jsonl.gz"
    with Recorder(path) as recorder:
        made = systems(list(dataset.entities()), definition(min_clients=1), recorder=recorder)
        log = searches(dataset.clicks())[:SEARCHES]
        judged = replay(log, contenders(STRATEGIES, FIELD), systems=made, protocol="full").judged
    return judged, list(read_log(path))


def test_it_learns(run):
    judged, _ = run
    learned, late = judged["learned"], slice(SEARCHES // 2, None)
    for alone in ("lexical", "memory", "popular"):
        assert learned.hits[late].sum() > judged[alone].hits[late].sum()
        assert learned.reciprocal[late].sum() > judged[alone].reciprocal[late].sum()


def test_the_law_on_real_clicks(run, tmp_path):
    """One digest for any split, batch, interleaving of the inputs, and for a run that was stopped ten times."""
    lines = run[1]
    one = replayed(lines, partitions=4, batch=1_000, interleave="even")
    assert replayed(lines, partitions=1, batch=17, interleave="impressions-first") == one
    assert replayed(lines, partitions=8, batch=1, interleave="actions-first") == one
    stopped = replay_with_stops(lines, tmp_path, partitions=4, batch=100, interleave="even", rules=RULES, stops=10)
    assert stopped == one
    assert replayed(lines[:-1], partitions=4, batch=1_000, interleave="even") != one
