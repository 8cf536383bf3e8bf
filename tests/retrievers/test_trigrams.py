"""Trigrams: known answers by hand, an independent BM25 over presence, and mistakes that people make."""

import math
import random

import pytest

from retrievers.trigrams import MAX_ENTITY_WORDS, TrigramRetriever, grams, short_words
from schemas.entities import AttributeValue, Entity
from tests.retrievers.shop import request

NAMES = [
    "Beyoncé",
    "Bee Gees",
    "Xbox 360 Wireless Controller",
    "Xbox 360 Console",
    "Call of Duty: Modern Warfare 3",
    "Battlefield 3",
    "東京 Tower",
]


def titled(*titles: str) -> list[Entity]:
    return [Entity(entity_id=title, title=title) for title in titles]


def first(retriever: TrigramRetriever, text: str) -> str:
    return retriever.retrieve(request(text), 1)[0].entity_id


def test_known_answer() -> None:
    retriever = TrigramRetriever(titled("abc", "abd"))
    # Both have " ab" (df 2 of 2: ln(1 + 0.5 / 2.5)); only abc has "abc" and "bc " (df 1: ln(1 + 1.5 / 1.5)). Equal lengths: 2.2 / 2.2.
    assert retriever.retrieve(request("abc"), 5) == [
        ("abc", pytest.approx(math.log(1.2) + 2 * math.log(2))),
        ("abd", pytest.approx(math.log(1.2))),
    ]
    # "a": one trigram, " a ", which nothing has.
    assert retriever.retrieve(request("a"), 5) == []


def test_equals_bm25_of_presence_written_down_once_more() -> None:
    chance = random.Random(5)
    words = ["halo", "hello", "shadow", "hollow", "halogen", "low", "ow"]
    titles = {" ".join(chance.choices(words, k=chance.randint(1, 6))) for _ in range(80)}
    retriever = TrigramRetriever(titled(*titles))
    sets = {title: {f" {word} "[at : at + 3] for word in title.split() for at in range(len(word))} for title in titles}
    mean = sum(map(len, sets.values())) / len(sets)
    for query in ("halo", "shalow hello", "ow"):
        asked = {f" {word} "[at : at + 3] for word in query.split() for at in range(len(word))}
        expected = {}
        for title, has in sets.items():
            df = {gram: sum(gram in other for other in sets.values()) for gram in asked & has}
            score = sum(math.log(1 + (len(sets) - n + 0.5) / (n + 0.5)) for n in df.values())
            expected[title] = score * 2.2 / (1 + 1.2 * (0.6 + 0.4 * len(has) / mean))
        found = dict(retriever.retrieve(request(query), 1_000))
        assert found == {title: pytest.approx(score) for title, score in expected.items() if score}


MEANT = {
    "beyonse": "Beyoncé",
    "Beyoncee": "Beyoncé",
    "xbx controler": "Xbox 360 Wireless Controller",
    "xbox360 consol": "Xbox 360 Console",
    "modern warefare": "Call of Duty: Modern Warfare 3",
    "batlefeild": "Battlefield 3",
    "battle field": "Battlefield 3",
    "京": "東京 Tower",
}


@pytest.mark.parametrize("typed", MEANT)
def test_mistakes_find_what_was_meant(typed: str) -> None:
    assert first(TrigramRetriever(titled(*NAMES)), typed) == MEANT[typed]


def test_grams_have_end_marks() -> None:
    assert grams("halo", 3) == (" ha", "hal", "alo", "lo ")
    assert (grams("ab", 3), grams("a", 3), grams("a", 2)) == ((" ab", "ab "), (" a ",), (" a", "a "))


def test_attributes_of_type_text_belong_to_the_name() -> None:
    attributes = {"brand": [AttributeValue(value="Nintendo")], "price": [AttributeValue(value=49.99)], "new": [AttributeValue(value=True)]}
    entity = Entity(entity_id="w", title="Wii", attributes=attributes, text="a console")
    assert short_words(entity) == ["wii", "nintendo"]
    assert first(TrigramRetriever([entity]), "nintedo") == "w"
    assert len(short_words(Entity(entity_id="x", title="ab " * 600))) == MAX_ENTITY_WORDS


def test_changes() -> None:
    retriever = TrigramRetriever(titled("halo", "chess"))
    retriever.put([Entity(entity_id="halo", title="doom")])
    assert retriever.retrieve(request("halo"), 5) == []
    assert first(retriever, "doom") == "halo"
    retriever.put([Entity(entity_id="halo", title="halo"), Entity(entity_id="halo", deleted=True), Entity(entity_id="never", deleted=True)])
    assert retriever.retrieve(request("halo doom"), 5) == []
    assert first(retriever, "ches") == "chess"
