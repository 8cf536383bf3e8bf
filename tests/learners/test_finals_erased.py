"""Finals of erased people: whichever comes first, final, amendment or erasure, the set is the same."""

from random import Random

import pytest

from learners.finals import ERA_MS, FinalSet
from tests.learners.settled import T0, act, amendment, outcome, page, plain, shown

BORDER = (T0 // ERA_MS + 1) * ERA_MS


def concluded(count):
    """Finals of three people by turns, and an amendment to every second one, some of them in the next era."""
    out = []
    for n in range(count):
        search, time = f"s{n}", BORDER - 5_000 + 100 * n
        one = outcome([page([shown("a", 1), shown("b", 2)], search=search)], search=search, time=time)
        out.append(one.model_copy(update={"client": f"{n % 3:016x}"}))
        if n % 2:
            out.append(amendment(act("a", search=search), time=time + 4_000))
    return out


def kept(finals):
    return [plain(one) for one in finals.sorted()]


@pytest.mark.parametrize("cap", [10, 40, 1_000])
def test_the_order_of_conclusions_and_erasures_decides_nothing(cap):
    erasures = [{f"{1:016x}": BORDER}, {f"{2:016x}": BORDER + 10**9}]
    steps = [*concluded(90), *erasures]
    expected = None
    for seed in range(12):
        finals = FinalSet(cap)
        for step in Random(seed).sample(steps, len(steps)):
            finals.erase(step) if isinstance(step, dict) else finals.add(step)
        expected = expected or kept(finals)
        assert kept(finals) == expected
        assert len(finals) == len(expected)
    assert {one["client"] for one in expected} <= {f"{0:016x}", f"{1:016x}"}
    assert all(one["time"] > BORDER for one in expected if one["client"] == f"{1:016x}")


def test_with_room_for_all_it_is_the_set_without_them():
    with_them, without = FinalSet(), FinalSet()
    for one in concluded(60):
        with_them.add(one)
    gone = {one.final_id for one in concluded(60) if one.type == "final" and one.client == f"{1:016x}"}
    for one in concluded(60):
        if one.final_id not in gone:
            without.add(one)
    assert with_them.erase({f"{1:016x}": BORDER + 10**9})
    assert kept(with_them) == kept(without)
    assert with_them.count == without.count


def test_erasing_tells_whether_there_was_anything():
    finals = FinalSet()
    finals.add(outcome([page([shown("a", 1)])]))
    assert not finals.erase({"someone": T0})
    assert not finals.erase({"00ff": T0 - 1})
    assert finals.erase({"00ff": T0})
    assert not finals.erase({"00ff": T0})
    assert not finals.wants(outcome([page([])]).final_id, T0)
