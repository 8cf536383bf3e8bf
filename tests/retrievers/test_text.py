"""Words: a golden list, and properties of any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrievers.text import MAX_TOKEN, fold, tokens

GOLDEN = {
    "": [],
    "  \t ": [],
    "Halo 3: ODST": ["halo", "3", "odst"],
    "C++ for C# people": ["c++", "for", "c#", "people"],
    "A$AP Rocky & Ke$ha, $uicideboy$": ["a$ap", "rocky", "ke$ha", "$uicideboy$"],
    "P!nk at AT&T": ["p!nk", "at", "at&t"],
    "M*A*S*H": ["m*a*s*h"],
    "!!!": ["!!!"],
    "$ $": ["$$"],
    "costs $5, 3.5mm": ["costs", "5", "3.5", "mm"],
    "Assassin's Creed, Assassin\u2019s": ["assassins", "creed", "assassins"],
    "'quoted' \"words\"": ["quoted", "words"],
    "spider-man/snake_case": ["spider", "man", "snake", "case"],
    "Disney+ (new)": ["disney", "new"],
    "Beyoncé Straße ﬁne ＡＢＣ": ["beyonce", "strasse", "fine", "abc"],
    "हिन्दी गाना": ["हिन्दी", "गाना"],
    "東京 tower": ["東", "京", "tower"],
    "İstanbul": ["istanbul"],
}


@pytest.mark.parametrize("text", GOLDEN)
def test_golden(text: str) -> None:
    assert tokens(text) == GOLDEN[text]


@given(st.text())
def test_any_text_has_clean_words(text: str) -> None:
    words = tokens(text)
    assert all(0 < len(word) <= MAX_TOKEN and not any(sign.isspace() for sign in word) for word in words)
    assert bool(words) or not "".join(fold(text).split()), "only blank text has no word"


@given(st.text(st.characters(max_codepoint=0x17F)))
def test_case_and_width_do_not_matter(text: str) -> None:
    assert tokens(fold(text)) == tokens(text)


def test_long_runs_match_themselves() -> None:
    assert tokens("x" * 10_000) == ["x" * MAX_TOKEN]
