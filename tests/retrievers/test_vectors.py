"""The vector index against every vector in a loop, through random changes, with and without its graph, alone and with readers beside."""

import random
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrievers.vectors import EF, MIN_CHURN, VectorIndex
from schemas.candidates import Candidate
from schemas.errors import CorruptFile, InvalidSetting

ALWAYS, NEVER = 0, 10**9  # vectors up to which no graph is built


def rows(seed: int, count: int, dimensions: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"e{number:05d}" for number in range(count)]


def brute_force(held: dict[str, np.ndarray], query: np.ndarray) -> list[Candidate]:
    """Cosine of every pair in Python, in the total order."""
    scored = []
    for name, vector in held.items():
        dot = sum(float(a) * float(b) for a, b in zip(vector, query, strict=True))
        lengths = sum(float(a) ** 2 for a in vector) * sum(float(b) ** 2 for b in query)
        if lengths and dot > 0:
            scored.append((-dot / lengths**0.5, name))
    return [Candidate(name, -score) for score, name in sorted(scored)]


def same(found: list[Candidate], expected: list[Candidate]) -> bool:
    """Equal scores place by place; where the two differ in their last bits, neighbours may have changed places."""
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-6)
    scores = {one.entity_id: one.score for one in expected}
    return all(scores[one.entity_id] == pytest.approx(one.score, abs=1e-6) for one in found)


def test_known_angles() -> None:
    index = VectorIndex(2)
    index.put(["east", "northeast", "north", "west"], np.array([[2, 0], [3, 3], [0, 0.5], [-1, 0]], np.float32))
    found = index.search(np.array([10, 0], np.float32), 5)
    assert [one.entity_id for one in found] == ["east", "northeast"], "north is at a right angle, west looks away"
    assert found[0].score == 1.0
    assert found[1].score == pytest.approx(0.5**0.5)


def test_equal_vectors_score_equal_wherever_they_stand_and_go_by_id() -> None:
    one = rows(1, 1, 384)[0]
    index = VectorIndex(384)
    order = names(500)
    random.Random(2).shuffle(order)
    for name in order:
        index.put([name], (one if int(name[1:]) % 3 else rows(int(name[1:]), 1, 384)[0]).reshape(1, -1))
    found = index.search(one + 0.1 * rows(3, 1, 384)[0], 40)
    assert [each.entity_id for each in found] == [name for name in names(500) if int(name[1:]) % 3][:40]
    assert len({each.score for each in found}) == 1


CHANGES = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=12), st.lists(st.integers(0, 30), max_size=6)),
    max_size=20,
)


@settings(max_examples=60)
@given(changes=CHANGES, seed=st.integers(0, 99))
def test_random_changes_leave_what_a_dict_holds(changes: list[tuple[list[tuple[int, int]], list[int]]], seed: int) -> None:
    pool, index, held = np.vstack([rows(seed, 12), np.zeros((1, 8), np.float32)]), VectorIndex(8), {}
    for puts, gone in changes:
        ids = [f"e{name}" for name, _ in puts]
        index.put(ids, pool[[row for _, row in puts]].reshape(-1, 8), remove=[f"e{name}" for name in gone])
        for name in gone:
            held.pop(f"e{name}", None)
        held |= {name: pool[row] for name, (_, row) in zip(ids, puts, strict=True)}
        expected = brute_force(held, pool[seed % 12])
        assert len(index) == sum(vector.any() for vector in held.values())
        assert {name for name in held if name in index} == {name for name, vector in held.items() if vector.any()}
        for depth in (1, 5, 100):
            assert same(index.search(pool[seed % 12], depth), expected[:depth])


@pytest.mark.parametrize("exact_up_to", [ALWAYS, NEVER])
def test_long_churn_finds_what_brute_force_finds(exact_up_to: int) -> None:
    """Through many rebuilds: nothing dead is found; exact without a graph, nearly all with one."""
    rng, index, held = random.Random(5), VectorIndex(8, exact_up_to=exact_up_to), {}
    index.put(names(2_000), rows(6, 2_000))
    held |= zip(names(2_000), rows(6, 2_000), strict=True)
    shared = wanted = 0
    for step in range(40):
        ids = [f"e{rng.randrange(2_500):05d}" for _ in range(60)]
        gone = [f"e{rng.randrange(2_500):05d}" for _ in range(20)]
        index.put(ids, rows(100 + step, 60), remove=gone)
        for name in gone:
            held.pop(name, None)
        held |= zip(ids, rows(100 + step, 60), strict=True)
        if step % 8 == 7:
            query = rows(step, 1)[0]
            expected = brute_force(held, query)[:50]
            found = index.search(query, 50)
            assert len(found) == 50
            assert {one.entity_id for one in found} <= held.keys()
            shared += len({one.entity_id for one in found} & {one.entity_id for one in expected})
            wanted += 50
    assert len(index) == len(held)
    assert shared >= wanted * (0.95 if exact_up_to == ALWAYS else 1.0)


def test_more_than_is_live_gives_all_that_look_the_same_way() -> None:
    """hnswlib alone raises for k beyond what it can reach."""
    index = VectorIndex(8, exact_up_to=ALWAYS)
    index.put(names(2_000), np.abs(rows(7, 2_000)))
    index.put([], np.empty((0, 8), np.float32), remove=names(2_000)[:1_990])
    for depth in (10, 11, EF, 5_000):
        assert [one.entity_id for one in index.search(np.ones(8, np.float32), depth)] != []
        assert {one.entity_id for one in index.search(np.ones(8, np.float32), depth)} == set(names(2_000)[1_990:])


def test_nearest_that_are_all_dead_do_not_hide_the_living() -> None:
    """400 of 6,000 lie in the direction of the query and are dead: a graph asked for k only would return none."""
    index = VectorIndex(4, exact_up_to=ALWAYS)
    crowd = np.array([1, 0, 0, 0], np.float32) + 0.01 * rows(8, 400, 4)
    others = np.abs(rows(9, 5_600, 4)) + np.array([0, 1, 1, 1], np.float32)
    index.put(names(6_000), np.vstack([crowd, others]))
    index.put([], np.empty((0, 4), np.float32), remove=names(6_000)[:400])
    found = index.search(np.array([1, 0, 0, 0], np.float32), 20)
    assert len(found) == 20
    assert {one.entity_id for one in found}.isdisjoint(names(6_000)[:400])


@pytest.mark.parametrize("different", [1, 5])
def test_thousands_of_equal_vectors_are_cut_by_id_in_a_graph_too(different: int) -> None:
    """hnswlib alone raises here, as equal vectors link to each other only, or returns any of them."""
    vectors = np.abs(rows(20, different))[[number % different for number in range(2_000)]]
    index = VectorIndex(8, exact_up_to=ALWAYS)
    index.put(names(2_000), vectors)
    for depth in (1, 60, 150):
        assert [one.entity_id for one in index.search(vectors[0], depth)] == names(2_000)[::different][:depth]


def test_the_graph_depends_on_what_is_held() -> None:
    """64 dimensions without any structure: two graphs over the same rows miss different ones."""
    one, two = VectorIndex(64, exact_up_to=ALWAYS), VectorIndex(64, exact_up_to=ALWAYS)
    order = np.random.default_rng(10).permutation(1_000)
    one.put(names(1_000), rows(11, 1_000, 64))
    two.put([names(1_000)[at] for at in order], rows(11, 1_000, 64)[order])
    assert [one.search(query, 180) for query in rows(12, 30, 64)] == [two.search(query, 180) for query in rows(12, 30, 64)]


def test_what_came_after_the_graph_is_found_at_once() -> None:
    index = VectorIndex(8, exact_up_to=ALWAYS)
    index.put(names(1_000), rows(21, 1_000))
    index.put(["e00003", "new"], np.vstack([rows(22, 1), rows(22, 1)]))
    assert [(one.entity_id, round(one.score, 6)) for one in index.search(rows(22, 1)[0], 2)] == [("e00003", 1.0), ("new", 1.0)]
    assert [one.entity_id for one in index.search(rows(21, 4)[3], 1_000)].count("e00003") <= 1


@pytest.mark.parametrize("exact_up_to", [300, NEVER])
def test_dead_rows_do_not_pile_up(exact_up_to: int) -> None:
    index = VectorIndex(8, exact_up_to=exact_up_to)
    for step in range(50):
        index.put(names(400), rows(step, 400))
    assert len(index) == 400
    assert index._view.count <= 400 + MIN_CHURN


@pytest.mark.parametrize("exact_up_to", [500, NEVER])
def test_adds_and_deletes_while_searching(exact_up_to: int) -> None:
    """What stays is found all the time; what was taken out before a search began is not; rebuilds happen in between."""
    index = VectorIndex(8, exact_up_to=exact_up_to)
    stays = [f"stays{number}" for number in range(20)]
    axis = np.eye(8, dtype=np.float32)[0]
    index.put(stays, axis + 0.01 * np.abs(rows(13, 20)))
    index.put(names(1_500), rows(14, 1_500))
    failures: list[object] = []
    gone: set[str] = set()
    writing = True

    def read() -> None:
        while writing:
            before = frozenset(gone)
            found = index.search(axis, 20)
            if {one.entity_id for one in found} != set(stays) or found != sorted(found, key=lambda one: (-one.score, one.entity_id)):
                failures.append(found)
            if before & {one.entity_id for one in index.search(rows(15, 1)[0], 2_000)}:
                failures.append("a dead one")

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for step in range(60):
            index.put(
                [f"new{step}-{n}" for n in range(20)],
                rows(200 + step, 20) * [-1, 1, 1, 1, 1, 1, 1, 1],
                remove=names(1_500)[20 * step :][:20],
            )
            gone.update(names(1_500)[20 * step :][:20])
    finally:
        writing = False
        for reader in readers:
            reader.join()
    assert failures == []
    assert len(index) == 20 + 1_500


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_and_nothing_of_the_batch_is_taken(bad: float) -> None:
    index = VectorIndex(2)
    with pytest.raises(InvalidSetting, match="'b' holds NaN"):
        index.put(["a", "b"], np.array([[1, 0], [bad, 1]], np.float32))
    assert len(index) == 0
    with pytest.raises(InvalidSetting, match="the query"):
        index.search(np.array([bad, 1], np.float32), 3)


def test_other_shapes_are_refused() -> None:
    index = VectorIndex(2)
    for ids, shape in ((["a"], (1, 3)), (["a"], (2, 2)), (["a"], (2,))):
        with pytest.raises(InvalidSetting, match="shape"):
            index.put(ids, np.ones(shape, np.float32))
    with pytest.raises(InvalidSetting, match="shape"):
        index.search(np.ones(3, np.float32), 1)
    with pytest.raises(InvalidSetting, match="1 or more"):
        VectorIndex(0)


@pytest.mark.parametrize("exact_up_to", [ALWAYS, NEVER])
def test_saved_and_loaded_it_answers_the_same(tmp_path, exact_up_to: int) -> None:
    index = VectorIndex(8, model_id="m", exact_up_to=exact_up_to)
    index.put(names(1_500), rows(16, 1_500))
    index.put(names(10), rows(17, 10), remove=names(400)[300:])
    index.save(tmp_path / "index.vectors")
    again = VectorIndex.load(tmp_path / "index.vectors", 8, model_id="m", exact_up_to=exact_up_to)
    assert len(again) == len(index) == 1_400
    exact = VectorIndex.load(tmp_path / "index.vectors", 8, model_id="m", exact_up_to=NEVER)
    for query in rows(18, 10):
        found = again.search(query, 30)
        assert len({one.entity_id for one in found} & {one.entity_id for one in exact.search(query, 30)}) >= 28
        if exact_up_to == NEVER:
            assert found == index.search(query, 30)
    again.put(["new"], rows(19, 1))
    assert "new" in again


def test_an_empty_index_is_saved_and_loaded(tmp_path) -> None:
    VectorIndex(3).save(tmp_path / "index.vectors")
    assert VectorIndex.load(tmp_path / "index.vectors", 3).search(np.ones(3, np.float32), 5) == []


def test_vectors_of_another_model_are_refused(tmp_path) -> None:
    index = VectorIndex(3, model_id="one")
    index.put(["a"], np.ones((1, 3), np.float32))
    index.save(tmp_path / "index.vectors")
    with pytest.raises(CorruptFile, match="of 'one', not of 'two'"):
        VectorIndex.load(tmp_path / "index.vectors", 3, model_id="two")
    with pytest.raises(CorruptFile, match="3 dimensions, not 4"):
        VectorIndex.load(tmp_path / "index.vectors", 4, model_id="one")
