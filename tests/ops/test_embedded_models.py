"""The embedded loop fits models on its own finals, reads memory with the estimated curve, and goes on after a restart."""

from dataclasses import replace

import numpy as np
import pytest

from learners.arrays import unpack
from ops.definitions import definition
from ops.wiring import EmbeddedLoop
from schemas.events import Action
from schemas.ids import digest
from streams.embedded import driver
from streams.partition_store import PartitionStore
from tests.retrievers.shop import NOW, game, request

MINUTE = 60_000
GAMES = [game(n) for n in range(12)]
THETA = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]


class Summing:
    """What was shown, and what it earned: both follow from the set of finals."""

    name = "toy"

    def fit(self, finals, definition, fitted):
        ids = "".join(final.final_id for final in finals)
        return {
            "sums": np.array([len(finals), sum(len(one.entities) for one in finals), sum(int(one.rewards.sum()) for one in finals)], "f8"),
            "ids": np.frombuffer(digest(ids).encode(), dtype=np.uint8),
        }


class Curve:
    name = "examination"

    def fit(self, finals, definition, fitted):
        return {"theta": np.array(THETA)}


TOY = (Summing(),)


def loop_of(folder=None, models=TOY):
    made = definition(min_clients=1, always=("lexical",))
    return EmbeddedLoop(GAMES, made, folder=folder, clock=lambda: 0.0, models=models)


def use(loop, numbers, *, late=(), every=1):
    """A search a minute, a step after `every` of them, its first result clicked; for the `late`, a second click comes after the final."""
    for n in numbers:
        at = NOW + n * MINUTE
        page = loop.search(replace(request("halo"), search_id=f"s{n}", ts=at, client_id=f"u{n}"))
        first = page.impression.results[0].entity_id
        loop.emit(Action(action_id=f"a{n}", search_id=f"s{n}", ts=at, kind="click", entity_id=first), at)
        if n - 20 in late:
            before = Action(action_id="late", search_id=f"s{n - 20}", ts=at, kind="purchase", entity_id=first)
            loop.emit(before, at)
        if n % every == every - 1:
            loop.step()
    loop.step()


def toy(loop):
    return {name: unpack(array, what=name).tolist() for name, array in content_of(loop).arrays.items() if name.startswith("toy.")}


def content_of(loop):
    loop.publisher._changed = True
    return loop.publisher.refresh()


def test_models_are_fitted_on_the_finals_of_the_loop():
    loop = loop_of()
    use(loop, range(40))
    assert toy(loop) == {}
    use(loop, range(40, 80))
    finals, entities, earned = toy(loop)["toy.sums"]
    assert finals == loop.publisher.finals.count or finals == 50
    assert (entities >= finals, earned) == (True, 256 * finals)
    loop.close()


@pytest.mark.parametrize("logged", [7, 1_000])
def test_a_restarted_loop_fits_the_same_finals_and_amendments(tmp_path, monkeypatch, logged):
    """Where they were kept does not matter: in files, in the outboxes of a loop that was killed, or in both."""
    monkeypatch.setattr(driver, "LOGGED", logged)
    whole, first = loop_of(), loop_of(tmp_path)
    for loop in (whole, first):
        use(loop, range(90), late=(40, 60), every=15)
    expected = [one.final_id for one in whole.publisher.finals.sorted()]
    assert any(one.rewards.sum() == 256 + 1024 for one in whole.publisher.finals.sorted())
    first.driver.log.close()  # killed: nothing is moved to the outcome log
    for store in first.driver._stores:
        store.close()
    files = list((tmp_path / "outcomes").glob("*.parquet"))
    assert bool(files) == (logged == 7)
    for _ in range(2):  # killed, then closed
        again = loop_of(tmp_path)
        finals = again.publisher.finals.sorted()
        assert [one.final_id for one in finals] == expected
        assert [one.rewards.tolist() for one in finals] == [one.rewards.tolist() for one in whole.publisher.finals.sorted()]
        assert toy(again)["toy.sums"][0] == len(expected)
        again.close()
    assert list((tmp_path / "outcomes").glob("*.parquet"))
    assert all(not store_rows for store_rows in outboxes(tmp_path))


def outboxes(folder):
    for p in range(driver.PARTITIONS):
        with PartitionStore.open(folder / f"partition-{p}.duckdb", p, driver.PARTITIONS) as store:
            yield store.outbox(store.last_sent())


def test_memory_is_read_with_the_estimated_curve():
    loop = loop_of(models=(Curve(),))
    use(loop, range(45))
    given = loop.reader.reading.theta
    use(loop, range(45, 80))
    assert loop.reader.reading.theta == tuple(THETA) != given
    other = loop_of()
    use(other, range(80))
    seen = [one.examined for one in loop.reader.lookup("halo", "", [game.entity_id for game in GAMES])]
    before = [one.examined for one in other.reader.lookup("halo", "", [game.entity_id for game in GAMES])]
    assert sum(seen) > sum(before)
    for one in (loop, other):
        one.close()


def test_a_loop_without_models_keeps_no_finals_but_a_folder_keeps_the_log(tmp_path):
    loop = loop_of(tmp_path, models=())
    use(loop, range(60), every=15)
    assert len(loop.publisher.finals) == 0
    loop.close()
    with_models = loop_of(tmp_path)
    assert len(with_models.publisher.finals) >= 30
    with_models.close()
