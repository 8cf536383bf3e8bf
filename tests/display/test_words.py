"""The dictionary is complete: whatever the system may say has a plain word, and numbers are said as people read them."""

import doctest
from typing import get_args

import pytest

from display import numbers, words
from display.charts import svg
from evaluation.contenders import RIVALS
from evaluation.people.needs import GROUPS, KINDS
from learners.features import QUERY_CLASSES
from ops.demo import STRATEGIES as DEMO
from ops.settings import Settings
from schemas.decisions import Status
from schemas.events import ACTION_KINDS, Placement
from schemas.outcomes import REASONS
from serving.backend import Lacking, Stage


@pytest.mark.parametrize("module", [numbers, words, svg], ids=lambda module: module.__name__)
def test_examples_hold(module):
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.mark.parametrize(
    ("terms", "known"),
    [
        ((*Settings().strategies, *DEMO, "dense"), words.METHODS),
        (("learned", *RIVALS), words.CONTENDERS),
        ((*QUERY_CLASSES, *KINDS, *GROUPS), words.QUERY_KINDS),
        (ACTION_KINDS, words.ACTIONS),
        (get_args(Status), words.STATUSES),
        (get_args(Placement.model_fields["mode"].annotation), words.PLACEMENTS),
        (REASONS, words.SET_ASIDE),
        (get_args(Lacking), words.LACKING),
        (get_args(Stage.__annotations__["name"]), words.STAGES),
    ],
)
def test_every_term_has_a_word(terms, known):
    assert terms
    assert set(terms) <= known.keys()


def test_words_stand_under_their_terms_and_say_something():
    for group in (words.METHODS, *words.GLOSSARY.values()):
        for term, word in group.items():
            assert word.term == term
            assert word.label
            assert not word.said or word.said[-1] in ".?"
    codes = [one.code for one in words.METHODS.values()]
    assert len(set(codes)) == len(codes)
    labels = [one.label for one in words.METHODS.values()]
    assert len(set(labels)) == len(labels)


def test_methods_of_ones_own_have_a_label_and_one_colour():
    assert words.method("my_boosts") == words.Method("my_boosts", "My boosts", "MB", words.YOURS, "A method of your own.")
    assert words.method("_").label


@pytest.mark.parametrize("thousandth", range(1, 1000, 7))
def test_frequencies_are_near_the_chance_that_they_say(thousandth):
    chance = thousandth / 1_000
    part, whole = numbers.one_in(chance).replace(",", "").split(" in ")
    small = min(chance, 1 - chance)
    assert abs(int(part) / int(whole) - chance) <= 0.1 * small
