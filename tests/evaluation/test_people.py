"""The generated world: the same from the same seed, readable, and its people behave as the page says they do."""

from collections import Counter
from random import Random

import pytest

from evaluation.people.catalogue import FAME, catalogue
from evaluation.people.listeners import KINDS, NEEDS, OTHER_GENRE, POSITION_BIAS, Listener, Need, click_rate, clicks, mistyped, people
from evaluation.people.names import MOODS
from retrievers.text import tokens


@pytest.fixture(scope="module")
def music():
    return catalogue(7)


@pytest.fixture(scope="module")
def crowd(music):
    return people(music, 7)


def test_a_seed_gives_one_world_and_another_seed_another(music, crowd):
    assert catalogue(7).entities == music.entities
    assert people(catalogue(7), 7) == crowd
    assert catalogue(8).entities != music.entities
    assert people(music, 8).needs != crowd.needs


@pytest.mark.parametrize("seed", range(5))
def test_catalogue_has_its_parts_and_names_that_tell_works_apart(seed):
    made = catalogue(seed)
    assert Counter(one.entity_type for one in made.entities) == {"song": 240, "artist": 60, "album": 60, "playlist": 40}
    assert len({one.entity_id for one in made.entities}) == 400
    for kind in ("song", "artist", "album"):
        titles = [work.title for work in made.of(kind)]
        assert len(set(titles)) == len(titles)
        assert all(title[0].isupper() and " " in title for title in titles)


def test_links_lead_to_artists_and_fame_falls_as_it_says(music):
    artists = music.of("artist")
    assert [artist.fame for artist in artists[:2]] == [1.0, 2**-FAME]
    for entity in music.entities:
        assert all(music.works[link.entity_id].type == "artist" for link in entity.related)
        assert len(entity.related) == (entity.entity_type in ("song", "album"))
    songs = [work for work in music.of("song") if work.artist == artists[1].entity_id]
    assert [song.fame for song in songs] == pytest.approx([2**-FAME * place**-FAME for place in (1, 2, 3, 4)])


def test_catalogue_knows_about_half_the_moods_and_none_of_the_other_words(music):
    songs = [one for one in music.entities if one.entity_type == "song"]
    true = sum(len(music.works[one.entity_id].moods) for one in songs)
    tagged = sum(len(one.attributes["mood"]) for one in songs)
    assert 0.4 < tagged / true < 0.6  # about 420 coins: 0.1 is four standard deviations
    told = {word for one in music.entities for word in tokens(f"{one.title} {one.text}")}
    told |= {str(value.value) for one in music.entities for values in one.attributes.values() for value in values}
    assert not {"relaxing", "workout", "heartbreak", "cheerful"} & told
    assert set(MOODS) <= told


def test_needs_are_as_many_as_they_say_and_typed_differently(crowd):
    assert {kind: len(needs) for kind, needs in crowd.needs.items()} == NEEDS
    queries = [need.query for needs in crowd.needs.values() for need in needs]
    assert len(set(queries)) == len(queries)
    assert all(0.0 < value <= 1.0 for needs in crowd.needs.values() for need in needs for value in need.relevant.values())
    right = {need.query: need.relevant for kind in ("title", "artist") for need in crowd.needs[kind]}
    assert all(need.query not in right and need.relevant in right.values() for need in crowd.needs["mistake"])


def test_queries_follow_zipf_within_their_kind_and_kinds_their_shares(crowd):
    rng, n = Random(1), 20_000
    drawn = [crowd.search(rng)[1] for _ in range(n)]
    shares = Counter(need.kind for need in drawn)
    for kind, share in KINDS.items():
        assert shares[kind] / n == pytest.approx(share, abs=0.015)  # above 4 standard deviations
    artists = crowd.needs["artist"]
    typed = Counter(need.query for need in drawn if need.kind == "artist")
    total = sum(1 / rank for rank in range(1, len(artists) + 1))
    for rank in (1, 2, 3, 10):
        expected = 1 / rank / total
        assert typed[artists[rank - 1].query] / shares["artist"] == pytest.approx(expected, abs=5 * (expected / shares["artist"]) ** 0.5)


def test_click_rates_by_hand():
    assert POSITION_BIAS == 0.7
    assert click_rate(1, 0.9, patience=10) == 0.9
    assert click_rate(2, 1.0, patience=10) == pytest.approx(0.6155722)  # 2^-0.7
    assert click_rate(10, 0.5, patience=10) == pytest.approx(0.0997631)  # 10^-0.7 / 2
    assert click_rate(4, 1.0, patience=3) == 0.0


def test_people_click_at_the_known_rates():
    page, relevance, n = ["a", "b", "c", "d", "e"], {"a": 0.8, "b": 0.5, "d": 1.0, "e": 1.0}, 20_000
    counts = Counter(hit for seed in range(n) for hit in clicks(page, relevance, patience=4, rng=Random(seed)))
    rates = {hit: count / n for hit, count in counts.items()}
    # 0.8 * 1, 0.5 * 2^-0.7, 0 (irrelevant), 1 * 4^-0.7, 0 (beyond the patience); 0.015 is over four standard deviations
    assert rates.keys() == {(1, "a"), (2, "b"), (4, "d")}
    assert [rates[1, "a"], rates[2, "b"], rates[4, "d"]] == pytest.approx([0.8, 0.3077861, 0.3789291], abs=0.015)


def test_a_click_depends_on_its_own_position_alone():
    for seed in range(50):
        one = clicks(["a", "b", "c"], {"a": 0.9, "c": 0.9}, patience=10, rng=Random(seed))
        other = clicks(["x", "y", "c"], {"c": 0.9}, patience=10, rng=Random(seed))
        assert [hit for hit in one if hit[0] == 3] == other


def test_taste_halves_what_is_of_another_genre_where_it_has_a_say(music, crowd):
    song, other = music.of("song")[0], next(work for work in music.of("song") if work.genre != music.of("song")[0].genre)
    fan = Listener("l", frozenset({song.genre}), 5)
    open_need = Need("mood", "calm", {song.entity_id: 0.8, other.entity_id: 0.8}, by_taste=True)
    assert crowd.relevance(fan, open_need) == {song.entity_id: 0.8, other.entity_id: 0.8 * OTHER_GENRE}
    named = Need("title", "x", open_need.relevant, by_taste=False)
    assert crowd.relevance(fan, named) == named.relevant


def test_a_slip_changes_one_word_a_little():
    rng = Random(0)
    for _ in range(200):
        wrong = mistyped("silver window", rng)
        assert wrong != "silver window"
        assert wrong.split()[1] == "window" or wrong.split()[0] == "silver"
        assert abs(len(wrong) - len("silver window")) <= 1
        assert set(wrong) <= set("silver window")
