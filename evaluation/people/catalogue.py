"""A music catalogue from a seed: 60 artists, 240 songs, 60 albums and 40 playlists, with the truth that the catalogue does not tell.

What is true of a work (its genre, moods, how well it is known) and what the catalogue says of it differ as they do in life: only half of
the mood tags were entered, and the stated popularity is the true one times a factor between 1/3 and 3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from evaluation.people.names import ACTIONS, ADJECTIVES, FAMILY, GENRES, GIVEN, MOODS, NOUNS, PLACES, SPOTS
from schemas.entities import AttributeValue, Entity, Related

Type = Literal["artist", "song", "album", "playlist"]
ARTISTS, SONGS, PLAYLISTS = 60, 240, 40
FAME = 0.8  # exponent: the k-th best known artist is k^-0.8 as well known as the first, and so are the songs of one artist
TAGGED = 0.5  # share of the true moods that the catalogue knows


@dataclass(frozen=True, slots=True)
class Work:
    """One entity as it really is. `fame` in (0, 1]; `artist` is the id of who made it, its own for an artist, "" for a playlist."""

    entity_id: str
    type: Type
    title: str
    artist: str
    genre: str
    moods: frozenset[str]
    fame: float
    album: str = ""


@dataclass(frozen=True)
class MusicCatalogue:
    """Works by id, best known first, and the entities that a search engine is given."""

    works: Mapping[str, Work]
    entities: tuple[Entity, ...]

    def of(self, kind: Type) -> list[Work]:
        """Works of one type, best known first."""
        return [work for work in self.works.values() if work.type == kind]


def catalogue(seed: int) -> MusicCatalogue:
    """The catalogue of a seed; the same seed gives the same one on every machine."""
    rng = Random(f"catalogue {seed}")
    artists = list(_artists(rng))
    songs, albums = _songs(rng, artists)
    works = sorted([*artists, *songs, *albums, *_playlists(rng)], key=lambda work: (-work.fame, work.entity_id))
    by_id = {work.entity_id: work for work in works}
    return MusicCatalogue(by_id, tuple(_entity(work, by_id, rng) for work in works))


def _artists(rng: Random) -> Iterator[Work]:
    people = [f"{given} {family}" for given, family in zip(rng.sample(GIVEN, 25), rng.sample(FAMILY, 25), strict=True)]
    bands = [f"The {adjective} {noun}" for adjective, noun in zip(rng.sample(ADJECTIVES, 20), rng.sample(NOUNS, 20), strict=True)]
    places = [f"{place} {rng.choice(('Quartet', 'Collective', 'Choir', 'Sound'))}" for place in rng.sample(PLACES, 15)]
    names = people + bands + places
    rng.shuffle(names)
    for rank, name in enumerate(names[:ARTISTS], 1):
        made = f"artist-{rank:02}"
        yield Work(made, "artist", name, made, rng.choice(GENRES), frozenset(rng.sample(sorted(MOODS), 2)), rank**-FAME)


def _songs(rng: Random, artists: list[Work]) -> tuple[list[Work], list[Work]]:
    titles = [f"{adjective} {spot}" for adjective, spot in product(ADJECTIVES, SPOTS)]
    titles += [f"{action} Me by the {spot}" for action, spot in product(ACTIONS, SPOTS)]
    rng.shuffle(titles)
    records = [f"{noun} of {place}" for noun, place in product(NOUNS, PLACES)]
    rng.shuffle(records)
    songs, albums = [], []
    for number in range(SONGS):
        artist, place = artists[number % ARTISTS], number // ARTISTS + 1  # the place among the artist's songs
        moods = frozenset({rng.choice(sorted(artist.moods)), rng.choice(sorted(MOODS))})
        album = f"album-{number % ARTISTS + 1:02}"
        fame = artist.fame * place**-FAME
        songs.append(Work(f"song-{number + 1:03}", "song", titles[number], artist.entity_id, artist.genre, moods, fame, album))
    for number, artist in enumerate(artists):
        album = f"album-{number + 1:02}"
        albums.append(Work(album, "album", records[number], artist.entity_id, artist.genre, artist.moods, artist.fame * 0.5, album))
    return songs, albums


def _playlists(rng: Random) -> Iterator[Work]:
    themes = list(product(sorted(MOODS), GENRES))
    rng.shuffle(themes)
    for rank, (mood, genre) in enumerate(themes[:PLAYLISTS], 1):
        title = rng.choice(("{} {} Mix", "{} {} Essentials", "Simply {} {}", "{} {} Hour")).format(mood.title(), genre.title())
        yield Work(f"playlist-{rank:02}", "playlist", title, "", genre, frozenset({mood}), rank**-FAME)


def _entity(work: Work, works: Mapping[str, Work], rng: Random) -> Entity:
    by = works[work.artist].title if work.artist else ""
    on = works[work.album].title if work.album else ""
    text = {"song": f"Song by {by} on {on}", "album": f"Album by {by}", "artist": "Artist", "playlist": "Playlist"}[work.type]
    known = [mood for mood in sorted(work.moods) if rng.random() < TAGGED or work.type == "playlist"]
    return Entity(
        entity_id=work.entity_id,
        entity_type=work.type,
        title=work.title,
        text=text,
        attributes={"genre": [AttributeValue(value=work.genre)], "mood": [AttributeValue(value=mood) for mood in known]},
        related=[Related(type="by", entity_id=work.artist)] if work.type in ("song", "album") else [],
        popularity=round(1_000 * work.fame * 3 ** rng.uniform(-1.0, 1.0), 3),
    )
