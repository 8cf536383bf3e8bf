"""Lexical: BM25 against an independent implementation, ties, and random changes against a dict."""

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrievers.lexical import LexicalIndex, LexicalRetriever, field_text
from retrievers.text import tokens
from schemas.candidates import Candidate
from schemas.entities import AttributeValue, Entity
from schemas.errors import InvalidSetting
from tests.retrievers.shop import game, request

WORDS = ["halo", "racing", "chess", "soccer", "war", "moon"]
TEXTS = {"title": 3.0, "text": 1.0}


def bm25(documents: dict[str, list[str]], words: list[str]) -> dict[str, float]:
    """Robertson's BM25 with Lucene's idf, k1 = 1.2, b = 0.75, written down once more."""
    average = sum(map(len, documents.values())) / len(documents)
    out = dict.fromkeys(documents, 0.0)
    for word in set(words):
        df = sum(word in terms for terms in documents.values())
        idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
        for name, terms in documents.items():
            tf = terms.count(word)
            out[name] += idf * tf * 2.2 / (tf + 1.2 * (1 - 0.75 + 0.75 * len(terms) / average)) if tf else 0.0
    return out


def test_equals_bm25_written_down_once_more() -> None:
    rng = random.Random(7)
    titles = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(200)]
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(0, 30))) for _ in range(200)]
    entities = [Entity(entity_id=f"e{number}", title=title, text=texts[number]) for number, title in enumerate(titles)]
    index = LexicalIndex()
    index.put(entities)
    retriever = LexicalRetriever(index, boosts=TEXTS)
    for query in (["halo"], ["moon", "war"], ["chess", "soccer", "racing"]):
        expected = dict.fromkeys((one.entity_id for one in entities), 0.0)
        for field, boost in TEXTS.items():
            for name, score in bm25({one.entity_id: field_text(one, field).split() for one in entities}, query).items():
                expected[name] += boost * score
        found = retriever.retrieve(request(" ".join(query)), 1_000)
        assert {one.entity_id: one.score for one in found} == pytest.approx({k: v for k, v in expected.items() if v > 0}, rel=1e-5)


def test_ties_are_cut_by_id_however_many() -> None:
    index = LexicalIndex()
    numbers = list(range(700))
    random.Random(3).shuffle(numbers)
    index.put(game(number, title="halo") for number in numbers if number % 5)
    found = LexicalRetriever(index, boosts={"title": 1.0}).retrieve(request("halo"), 10)
    assert [one.entity_id for one in found] == [f"game:{number:03d}" for number in range(700) if number % 5][:10]
    assert len({one.score for one in found}) == 1


def test_ties_at_any_cut() -> None:
    index = LexicalIndex()
    numbers = list(range(600))
    random.Random(4).shuffle(numbers)
    index.put(Entity(entity_id=f"e{number:03d}", title="halo " * (1 + number % 3) + "x " * (2 - number % 3)) for number in numbers)
    retriever = LexicalRetriever(index, boosts={"title": 1.0})
    # The same length everywhere, so three scores: by how often the word stands there.
    whole = sorted((f"e{number:03d}" for number in range(600)), key=lambda name: (-(int(name[1:]) % 3), name))
    for depth in (1, 2, 30, 31, 199, 200, 201, 220, 399, 400, 401, 590, 600, 601):
        found = retriever.retrieve(request("halo"), depth)
        assert [one.entity_id for one in found] == whole[:depth]
    assert len({one.score for one in found}) == 3


def test_named_attributes_and_all_attributes() -> None:
    entity = Entity(
        entity_id="e",
        title="halo",
        attributes={
            "Made By": [AttributeValue(value="Bungie Studios"), AttributeValue(value=None)],
            "year": [AttributeValue(value=2007)],
            "new": [AttributeValue(value=True)],
        },
    )
    index = LexicalIndex(["title", "Made By", "attributes"])
    index.put([entity])

    def finds(text: str, **boosts: float) -> bool:
        return bool(
            LexicalRetriever(index, boosts={name.replace("_", " "): boost for name, boost in boosts.items()}).retrieve(request(text), 1)
        )

    assert finds("bungie", Made_By=1.0)
    assert finds("bungie 2007", attributes=1.0)
    assert finds("2007", attributes=1.0)
    assert not finds("2007", Made_By=1.0)
    assert not finds("true", attributes=1.0)
    assert not finds("none", attributes=1.0)
    assert not finds("bungie", title=1.0)


def test_boosts_decide() -> None:
    index = LexicalIndex()
    index.put([Entity(entity_id="in_title", title="halo", text="x"), Entity(entity_id="in_text", title="x", text="halo")])
    for boosts, best in (({"title": 2.0, "text": 1.0}, "in_title"), ({"title": 1.0, "text": 2.0}, "in_text")):
        assert LexicalRetriever(index, boosts=boosts).retrieve(request("halo"), 1)[0].entity_id == best


def test_refusals_name_the_remedy() -> None:
    with pytest.raises(InvalidSetting, match="add the field to the index"):
        LexicalRetriever(LexicalIndex(["title"]), boosts={"text": 1.0})
    for boost in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidSetting, match="use a factor above 0"):
            LexicalRetriever(LexicalIndex(["title"]), boosts={"title": boost})
    for fields in ([], ["title", "title"]):
        with pytest.raises(InvalidSetting, match="at least one, each once"):
            LexicalIndex(fields)


def test_a_batch_that_fails_leaves_everything_as_it_was() -> None:
    index = LexicalIndex()
    index.put([game(1), game(5)])
    retriever = LexicalRetriever(index)
    before = retriever.retrieve(request("halo racing"), 10)

    def broken() -> Iterator[Entity]:
        yield game(2, title="halo halo")
        yield game(5).model_copy(update={"deleted": True})
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        index.put(broken())
    assert retriever.retrieve(request("halo racing"), 10) == before
    index.put([game(2, title="moon")])
    assert [one.entity_id for one in retriever.retrieve(request("moon"), 10)] == ["game:002"]
    assert [one.entity_id for one in retriever.retrieve(request("racing"), 10)] == ["game:001", "game:005"]


entities = st.builds(
    lambda number, words, deleted: Entity(entity_id=f"e{number}", title=" ".join(words), deleted=deleted),
    st.integers(0, 6),
    st.lists(st.sampled_from(WORDS), max_size=3),
    st.booleans(),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(entities, max_size=5), max_size=4), st.lists(st.sampled_from(WORDS), max_size=2))
def test_any_changes_find_what_a_dict_finds(batches: list[list[Entity]], words: list[str]) -> None:
    index, model = LexicalIndex(["title"]), dict[str, Entity]()
    for batch in batches:
        index.put(batch)
        for one in batch:
            model.pop(one.entity_id, None)
            if not one.deleted:
                model[one.entity_id] = one
        assert len(index) == len(model)
        found = LexicalRetriever(index).retrieve(request(" ".join(words)), 100)
        assert {one.entity_id for one in found} == {name for name, one in model.items() if set(words) & set(tokens(one.title))}


def test_a_search_under_way_keeps_its_view() -> None:
    index = LexicalIndex()
    index.put([game(4), game(8)])
    retriever = LexicalRetriever(index, boosts={"title": 1.0})
    before: list[Candidate] = retriever.retrieve(request("halo"), 10)
    kept = [tuple(one) for one in before]
    index.put([game(12)])
    assert [tuple(one) for one in before] == kept
    assert len(retriever.retrieve(request("halo"), 10)) == 3
