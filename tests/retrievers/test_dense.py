"""Dense retrieval: what the encoder reads, what a batch does, and what happens to the index when it fails."""

import numpy as np
import pytest

from retrievers.dense import DenseRetriever, entity_text
from retrievers.encoders import BATCH
from retrievers.vectors import VectorIndex
from schemas.entities import AttributeValue, Entity
from schemas.errors import InvalidSetting
from tests.retrievers.hash_encoder import HashEncoder
from tests.retrievers.shop import game, request


def entity(name: str, title: str, *, deleted: bool = False, **attributes: str) -> Entity:
    values = {key: [AttributeValue(value=value)] for key, value in attributes.items()}
    return Entity(entity_id=name, title=title, text="not read", attributes=values, deleted=deleted)


def found(dense: DenseRetriever, text: str, depth: int = 10) -> list[str]:
    return [one.entity_id for one in dense.retrieve(request(text), depth)]


def test_the_encoder_reads_title_and_maker() -> None:
    assert entity_text(entity("e", "Halo 3", brand="Bungie", color="green")) == "Halo 3 Bungie"
    assert entity_text(entity("e", "BUNGIE'S Halo", brand="Bungie's", publisher="Microsoft")) == "BUNGIE'S Halo Microsoft"
    assert entity_text(entity("e", "Halo", color="green", brand="")) == "Halo"
    assert entity_text(entity("e", "", artist="Björk")) == "Björk"


def test_score_is_the_cosine() -> None:
    """One word in common of two and three: 1 / sqrt(6), as none of the five fall into one dimension."""
    dense = DenseRetriever(HashEncoder(4_096))
    dense.put([entity("e", "halo war moon")])
    (hit,) = dense.retrieve(request("halo chess"), 5)
    assert hit.score == pytest.approx(6**-0.5, abs=1e-6)


def test_a_right_angle_is_no_hit() -> None:
    dense = DenseRetriever(HashEncoder(4_096))
    dense.put([entity("same", "halo"), entity("other", "chess"), entity("silent", "")])
    assert found(dense, "halo") == ["same"]
    assert len(dense) == 2, "an entity without a text has no direction"


def test_last_word_of_a_batch_holds() -> None:
    dense = DenseRetriever(HashEncoder())
    dense.put(
        [entity("a", "halo"), entity("a", "chess"), entity("b", "halo"), entity("b", "", deleted=True), entity("c", "", deleted=True)]
    )
    assert found(dense, "chess") == ["a"]
    dense.put([entity("a", "", deleted=True), entity("a", "halo")])
    assert found(dense, "halo") == ["a"]


def test_a_change_of_the_title_is_a_change_of_the_vector() -> None:
    dense = DenseRetriever(HashEncoder(4_096))
    dense.put([entity("a", "halo")])
    dense.put([entity("a", "chess")])
    assert (found(dense, "halo"), found(dense, "chess")) == ([], ["a"])


def test_progress_tells_how_many_of_how_many() -> None:
    told: list[tuple[int, int]] = []
    count = 2 * BATCH + 1
    DenseRetriever(HashEncoder()).put((game(number) for number in range(count)), progress=lambda done, of: told.append((done, of)))
    assert told == [(BATCH, count), (2 * BATCH, count), (count, count)]


class Fails(HashEncoder):
    def documents(self, texts):
        rows = super().documents(texts)
        rows[[text == "bad" for text in texts]] = np.nan
        return rows


def test_a_batch_that_fails_changes_nothing() -> None:
    dense = DenseRetriever(Fails())
    dense.put([entity("a", "halo")])
    with pytest.raises(InvalidSetting, match="'c' holds NaN"):
        dense.put([entity("a", "", deleted=True), entity("b", "halo"), entity("c", "bad")])
    assert found(dense, "halo") == ["a"]


def test_an_index_that_was_saved_is_searched_at_once(tmp_path) -> None:
    index = VectorIndex(32, model_id="hash")
    before = DenseRetriever(HashEncoder(), index=index)
    before.put(game(number) for number in range(20))
    index.save(tmp_path / "games.vectors")
    encoder = HashEncoder()
    dense = DenseRetriever(encoder, index=VectorIndex.load(tmp_path / "games.vectors", 32, model_id="hash"))
    assert dense.retrieve(request("halo"), 10) == before.retrieve(request("halo"), 10) != []
    assert encoder.encoded == ["halo"]


def test_an_index_of_another_model_is_refused() -> None:
    for index in (VectorIndex(32, model_id="other"), VectorIndex(16, model_id="hash")):
        with pytest.raises(InvalidSetting, match="vectors of"):
            DenseRetriever(HashEncoder(), index=index)
