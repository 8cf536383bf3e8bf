"""Each ablation differs from the learned policy in the one thing that it names."""

import pytest

from learners.credit import shared_credit
from learners.examination import Examination
from learners.ranking.rank_model import RankModel
from ops.definitions import definition, models_of
from ops.variants import ABLATIONS, FIXED, POLICIES, VARIANTS
from streams.kernel.join import RULES

STRATEGIES = ("lexical", "memory", "neighbours", "popular", "xmr")
WHOLE = definition(STRATEGIES)


def changed(name):
    """What the variant's definition has otherwise: field -> value."""
    plain, other = WHOLE.model_dump(), VARIANTS[name].definition(WHOLE).model_dump()
    return {field: value for field, value in other.items() if value != plain[field]}


def fitted(name):
    return [type(one) for one in VARIANTS[name].models(STRATEGIES)]


WHOLE_MODELS = [type(one) for one in models_of(STRATEGIES)]
CHANGES = {
    "learned": set(),
    "ask_all": {"definition"},
    "no_memory": {"definition", "memory"},
    "no_rank_model": {"models"},
    "no_debiasing": {"definition", "models"},
    "no_placement": {"definition"},
    "no_balance": {"balance"},
    "shared_credit": {"rules"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_it_differs_where_it_says_and_nowhere_else(name):
    variant = VARIANTS[name]
    balanced = [one._balanced for one in variant.models(STRATEGIES) if isinstance(one, RankModel)]
    differs = {
        "definition": bool(changed(name)),
        "memory": not variant.memory,
        "models": fitted(name) != WHOLE_MODELS,
        "balance": balanced == [False],
        "rules": variant.rules != RULES,
    }
    assert {what for what, yes in differs.items() if yes} == CHANGES[name]


def test_every_variant_is_tested_here():
    assert CHANGES.keys() == VARIANTS.keys() == POLICIES.keys() | ABLATIONS.keys()
    assert next(iter(POLICIES)) == "learned"


def test_what_each_changes():
    assert changed("ask_all") == {"selection": WHOLE.selection.model_dump() | {"kind": "fixed", "fixed": dict.fromkeys(STRATEGIES, 1.0)}}
    assert [arm["name"] for arm in changed("no_memory").pop("arms")] == [name for name in STRATEGIES if name != "memory"]
    assert changed("no_debiasing") == {"reading": WHOLE.reading.model_dump() | {"theta": [1.0] * 6}}
    assert changed("no_placement") == {"placement": {"draw": 0.0, "slot": 0.0, "swap": 0.0}}
    assert {Examination, RankModel} <= set(WHOLE_MODELS)
    assert fitted("no_rank_model") == [one for one in WHOLE_MODELS if one is not RankModel]
    assert fitted("no_debiasing") == [one for one in WHOLE_MODELS if one is not Examination]
    assert VARIANTS["shared_credit"].rules.credit is shared_credit
    assert {name for name in ("learned", "ask_all", "no_memory") if fitted(name) != WHOLE_MODELS} == set()


def test_a_variants_definition_is_a_valid_one():
    """`model_copy` validates nothing."""
    for variant in VARIANTS.values():
        made = variant.definition(WHOLE)
        assert type(made).parse(made.model_dump()) == made


def test_a_contender_with_an_order_of_its_own_fits_nothing():
    assert FIXED.models(STRATEGIES) == ()
    assert (FIXED.definition(WHOLE), FIXED.rules, FIXED.memory) == (WHOLE, RULES, True)
