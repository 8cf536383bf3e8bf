"""The generated world: the same from the same seed, readable, and its people behave as the page says they do."""

from collections import Counter
from random import Random

import pytest

from evaluation.people.catalogue import DAY, FAME, SURE, TODAY, TYPES, catalogue
from evaluation.people.drift import ALBUM, NEW_SONGS, drift
from evaluation.people.listeners import OTHER_GENRE, POSITION_BIAS, Listener, click_rate, clicks, people
from evaluation.people.names import GENRE_WORDS, GENRES, MOODS, TOPICS
from evaluation.people.needs import GROUPS, KINDS, NEEDS, Need, mistyped
from retrievers.text import tokens


@pytest.fixture(scope="module")
def music():
    return catalogue(7)


@pytest.fixture(scope="module")
def change(music):
    return drift(music, 7)


@pytest.fixture(scope="module")
def crowd(change):
    return people(change, 7)


def test_a_seed_gives_one_world_and_another_seed_another(music, change, crowd):
    assert catalogue(7).entities == music.entities
    assert drift(catalogue(7), 7) == change
    assert people(drift(catalogue(7), 7), 7) == crowd
    assert catalogue(8).entities != music.entities
    assert people(change, 8).needs != crowd.needs


@pytest.mark.parametrize("seed", range(5))
def test_catalogue_has_its_parts_and_names_that_tell_works_apart(seed):
    made = catalogue(seed)
    counts = Counter(one.entity_type for one in made.entities)
    assert set(counts) == set(TYPES)
    assert 750 < len(made.entities) < 850
    assert len({one.entity_id for one in made.entities}) == len(made.entities)
    for kind in ("artist", "station", "podcast"):
        titles = [work.title for work in made.of(kind)]
        assert len(set(titles)) == len(titles)
    songs = [work.title for work in made.of("song")]
    assert 0.9 < len(set(songs)) / len(songs) < 1.0  # a few bear the title of another
    assert all(one.title[0].isupper() and "{" not in one.title for one in made.entities)


def test_links_lead_somewhere_and_fame_falls_as_it_says(music):
    artists = music.of("artist")
    assert [artist.fame for artist in artists[:2]] == [1.0, 2**-FAME]
    kinds = {"by": {"artist"}, "on": {"album"}, "plays": {"song", "artist"}}
    for entity in music.entities:
        assert all(music.works[link.entity_id].type in kinds[link.type] for link in entity.related)
        assert sum(link.type == "by" for link in entity.related) == (entity.entity_type in ("song", "album"))
    songs = [work for work in music.of("song") if work.artist == artists[1].entity_id]
    assert [song.fame for song in songs[:3]] == pytest.approx([2**-FAME * place**-FAME for place in (1, 2, 3)])


def test_what_the_catalogue_says_of_a_work_is_off_as_it_says(music):
    for entity in music.entities:
        work = music.works[entity.entity_id]
        assert 1 / 3.01 < entity.popularity / (1_000 * work.fame) < 3.01
        assert entity.created_at == TODAY - DAY * work.age
        for name, weights in (("topic" if work.type == "podcast" else "genre", work.genres), ("mood", work.moods)):
            said = {tag.value: tag for tag in entity.attributes.get(name, [])}
            assert said.keys() <= weights.keys()
            assert {value for value, weight in weights.items() if weight >= SURE} <= said.keys()
            assert all(tag.confidence == 1.0 or abs(tag.confidence - weights[value]) < 0.21 for value, tag in said.items())
    weak = [(e, value) for e in music.entities for value, weight in music.works[e.entity_id].moods.items() if weight < SURE]
    told = sum(any(tag.value == value for tag in entity.attributes.get("mood", [])) for entity, value in weak)
    assert 0.42 < told / len(weak) < 0.58  # about 700 coins: 0.08 is four standard deviations


def test_catalogue_knows_the_moods_and_none_of_the_other_words_for_them(music):
    told = {word for one in music.entities for word in tokens(f"{one.title} {one.text}")}
    told |= {str(value.value) for one in music.entities for values in one.attributes.values() for value in values}
    assert not {"relaxing", "workout", "heartbreak", "cheerful", "techno", "rap", "soccer"} & told
    assert set(MOODS) <= told


def test_every_kind_of_query_is_in_one_group():
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted(KINDS)
    assert sum(KINDS.values()) == pytest.approx(1.0)
    assert list(GENRE_WORDS) == list(GENRES)


@pytest.mark.parametrize("era", [0, 1])
def test_needs_are_as_many_as_they_say_and_typed_differently(music, change, crowd, era):
    needs = crowd.needs[era]
    assert {kind: len(some) for kind, some in needs.items()} == NEEDS
    queries = [need.query for some in needs.values() for need in some]
    assert len(set(queries)) == len(queries)
    exists = set(music.works) | {entity.entity_id for entity in change.released if era}
    for need in (one for some in needs.values() for one in some):
        assert need.relevant.keys() <= exists
        assert all(0.0 < value <= 1.0 for value in need.relevant.values())
    right = {need.query for kind in ("title", "artist") for need in needs[kind]}
    assert all(need.query not in right for need in needs["mistake"])


def test_the_drift_brings_an_album_and_takes_playlists_away(change, crowd):
    assert [entity.entity_type for entity in change.released] == ["album"] + ["song"] * NEW_SONGS
    assert all(entity.popularity == 0.0 for entity in change.released)  # nobody told the catalogue that it is a hit
    new = {entity.entity_id for entity in change.released}
    before, after = ({entity for some in needs.values() for need in some for entity in need.relevant} for needs in crowd.needs)
    assert not new & before
    assert ALBUM in after
    assert any(entity.startswith("playlist") for entity in before)
    assert not any(entity.startswith("playlist") for entity in after)
    assert crowd.needs[1]["title"][0].relevant.keys() & new
    assert all(change.before.favoured[mood] != change.after.favoured[mood] for mood in MOODS)


def test_moods_are_searched_with_the_same_words_before_and_after_but_answered_differently(crowd):
    before, after = ({need.query: need.relevant for need in needs["mood"]} for needs in crowd.needs)
    assert before.keys() == after.keys()
    assert sum(before[query] != after[query] for query in before) > len(before) / 2
    shows = [[need.relevant for need in needs["show"]] for needs in crowd.needs]
    assert shows[0] == shows[1]


def test_topics_are_for_podcasts(music):
    for work in music.of("podcast"):
        assert work.genre in TOPICS


def test_queries_follow_zipf_within_their_kind_and_kinds_their_shares(crowd):
    rng, n = Random(1), 20_000
    drawn = [crowd.search(rng, 0)[1] for _ in range(n)]
    shares = Counter(need.kind for need in drawn)
    for kind, share in KINDS.items():
        assert shares[kind] / n == pytest.approx(share, abs=0.015)  # above 4 standard deviations
    artists = crowd.needs[0]["artist"]
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


def test_the_true_curve_is_that_of_all_people_together(crowd):
    assert crowd.examined(1) == 1.0
    assert crowd.examined(3) == pytest.approx(3**-0.7)  # everybody reads three
    patient = sum(one.patience >= 8 for one in crowd.listeners) / len(crowd.listeners)
    assert crowd.examined(8) == pytest.approx(patient * 8**-0.7)


def test_taste_counts_where_the_query_leaves_the_choice(music, crowd):
    song, other = music.of("song")[0], next(work for work in music.of("song") if work.genre != music.of("song")[0].genre)
    fan = Listener("l", {song.genre: 1.0, other.genre: 0.4}, 5)
    open_need = Need("mood", "calm", {song.entity_id: 0.8, other.entity_id: 0.8}, by_taste=True)
    assert crowd.relevance(fan, open_need) == pytest.approx({song.entity_id: 0.8, other.entity_id: 0.32})
    named = Need("title", "x", open_need.relevant)
    assert crowd.relevance(fan, named) == named.relevant
    for one in crowd.listeners:
        assert sum(liking == 1.0 for liking in one.taste.values()) == 3
        assert min(one.taste.values()) >= OTHER_GENRE[0]


def test_a_slip_changes_one_word_a_little():
    rng = Random(0)
    for _ in range(200):
        wrong = mistyped("silver window", rng)
        assert wrong != "silver window"
        assert wrong.split()[1] == "window" or wrong.split()[0] == "silver"
        assert abs(len(wrong) - len("silver window")) <= 1
        assert set(wrong) <= set("silver window")
