import pytest

from learners.definition import DEFAULT_COST, OTHER_COST, AlwaysSpec, ArmSpec, Definition, ReadingSpec
from learners.rewards import REWARDS
from schemas.errors import InvalidSetting
from schemas.events import ACTION_KINDS
from schemas.rows import POSITION_BINS


def test_default_costs_by_kind():
    costs = {name: ArmSpec.of(name).cost for name in ("dense_title", "memory", "lexical_all", "xmr")}
    by_kind = {name: DEFAULT_COST[name] for name in ("memory", "xmr")}
    assert costs == {"dense_title": DEFAULT_COST["dense"], "lexical_all": OTHER_COST} | by_kind
    assert ArmSpec.of("bm25", "dense").cost == DEFAULT_COST["dense"] > OTHER_COST > DEFAULT_COST["memory"]


def test_examination_is_the_mean_of_one_over_position_in_each_bin():
    theta = ReadingSpec().theta
    for (low, high), chance in list(zip(POSITION_BINS, theta, strict=True))[:-1]:
        assert chance == pytest.approx(sum(1 / at for at in range(low, high + 1)) / (high - low + 1))
    assert theta[-1] == 1 / 15


def test_rewards_cover_every_kind_and_viewing_or_dismissing_earns_nothing():
    assert set(REWARDS) == set(ACTION_KINDS)
    assert [REWARDS[kind] for kind in ("viewed", "dismiss", "other")] == [0, 0, 0]
    assert dict(zip(ACTION_KINDS, ReadingSpec().rewards, strict=True))["purchase"] == 4.0


def test_json_round_trip():
    one = Definition(arms=[ArmSpec.of("dense")], always=[AlwaysSpec(name="lexical", depth=20)])
    assert Definition.parse(one.model_dump(mode="json")) == one
    assert Definition.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"arms": []}, "no strategies"),
        ({"arms": [{"name": "a", "kind": ""}], "always": [{"name": "a"}]}, "stands twice"),
        ({"arms": [{"name": "a", "kind": "", "cost": float("nan")}]}, "cost: must be a finite"),
        ({"arms": [{"name": "a", "kind": ""}], "floor": 0.0}, "floor"),
        ({"arms": [{"name": "a", "kind": ""}], "colour": "red"}, "colour"),
        ({"arms": [{"name": "a", "kind": "", "depth": 0}]}, "depth: must be at least 1"),
    ],
)
def test_refusals_name_the_field(plain, words):
    with pytest.raises(InvalidSetting, match=words):
        Definition.parse(plain)
