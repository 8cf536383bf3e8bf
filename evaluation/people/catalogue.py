"""A music catalogue from a seed: artists, songs, albums, playlists, stations and podcasts, with the truth that the catalogue does not tell.

What is true of a work (its genres and moods with their weights, how well it is known) and what the catalogue says of it differ as they
do in life: half of the weaker tags were never entered, the confidence of the others is off by up to 0.2, and the stated popularity is
the true one times a factor between 1/3 and 3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Literal

from evaluation.people import names
from evaluation.people.names import GENRES, MOODS, TOPICS
from schemas.entities import AttributeValue, Entity, Related

Type = Literal["artist", "song", "album", "playlist", "station", "podcast"]
TYPES: tuple[Type, ...] = ("artist", "song", "album", "playlist", "station", "podcast")
ARTISTS, PLAYLISTS, STATIONS = 72, 40, 24
PODCASTS = 5  # about each topic
FAME = 0.8  # exponent: the k-th best known artist is k^-0.8 as well known as the first, and so are the songs of one artist
TAGGED = 0.5  # share of the weaker tags that the catalogue knows
SURE = 0.8  # a tag of that weight was entered by a person and is always there
COVERS = 0.04  # share of songs that bear the title of another one
TODAY = 1_767_225_600_000  # 2026-01-01, in ms: the time of the catalogue is made up, like its people
DAY = 86_400_000
OLDEST = 6_000  # days


@dataclass(frozen=True, slots=True)
class Work:
    """One entity as it really is. `fame` in [0, 1]; weights in (0, 1], the strongest first; `age` in days.

    `artist` is the id of who made it, its own for an artist, "" for a playlist, station or podcast.
    """

    entity_id: str
    type: Type
    title: str
    genres: Mapping[str, float]
    moods: Mapping[str, float]
    fame: float
    age: int
    artist: str = ""
    album: str = ""
    holds: tuple[str, ...] = field(default=())

    @property
    def genre(self) -> str:
        """The main genre; the topic of a podcast."""
        return next(iter(self.genres))


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
    records = [work for artist in zip(artists, _titles(artists, rng), strict=True) for work in _records(*artist, rng)]
    made = [*artists, *records, *_stations(rng, artists), *_podcasts(rng)]
    made += _playlists(rng, [work for work in records if work.type == "song"])
    works = sorted(made, key=lambda work: (-work.fame, work.entity_id))
    by_id = {work.entity_id: work for work in works}
    return MusicCatalogue(by_id, tuple(described(work, by_id, rng) for work in works))


def _artists(rng: Random) -> Iterator[Work]:
    taken: set[str] = set()
    for rank in range(1, ARTISTS + 1):
        moods = rng.sample(sorted(MOODS), 2)
        genres = rng.sample(GENRES, 2)
        yield Work(
            made := f"artist-{rank:02}", "artist", names.new(names.names(names.ARTISTS, rng), taken),
            {genres[0]: 1.0, genres[1]: round(rng.uniform(0.2, 0.6), 2)}, {moods[0]: 0.9, moods[1]: round(rng.uniform(0.3, 0.7), 2)},
            rank**-FAME, rng.randrange(400, OLDEST), made,
        )  # fmt: skip


def _titles(artists: list[Work], rng: Random) -> Iterator[list[str]]:
    """Song titles of each artist: more for the better known, a few of them borrowed."""
    taken: set[str] = set()
    for rank, artist in enumerate(artists):
        fresh = names.names(names.SONGS + names.SONGS_OF.get(artist.genre, ()) * 2, rng)
        own = [names.new(fresh, taken) for _ in range(9 - 5 * rank // len(artists))]
        old = sorted(taken.difference(own))
        yield [rng.choice(old) if old and rng.random() < COVERS else title for title in own]


def _records(artist: Work, titles: list[str], rng: Random) -> Iterator[Work]:
    """An artist's songs, best known first, and the one or two albums they are on."""
    number = artist.entity_id.removeprefix("artist-")
    title = names.names(names.ALBUMS, rng)
    ages = sorted(rng.sample(range(10, artist.age), 2 if len(titles) > 6 else 1))
    albums = [f"album-{number}-{letter}" for letter in "ab"[: len(ages)]]
    for album, age in zip(albums, ages, strict=True):
        fame = artist.fame * (0.5 if album == albums[0] else 0.3)
        yield Work(album, "album", next(title), artist.genres, artist.moods, fame, age, artist.entity_id, album)
    for place, name in enumerate(titles, 1):
        at = rng.randrange(len(albums))
        moods = {next(iter(artist.moods)): round(rng.uniform(0.4, 1.0), 2), rng.choice(sorted(MOODS)): round(rng.uniform(0.4, 1.0), 2)}
        moods = dict(sorted(moods.items(), key=lambda pair: -pair[1]))
        fame = artist.fame * place**-FAME
        yield Work(f"song-{number}-{place}", "song", name, artist.genres, moods, fame, ages[at], artist.entity_id, albums[at])


def _playlists(rng: Random, songs: list[Work]) -> Iterator[Work]:
    """Ready-made lists of a mood and a genre."""
    themes = list(product(sorted(MOODS), GENRES))
    rng.shuffle(themes)
    for rank, (mood, genre) in enumerate(themes[:PLAYLISTS], 1):
        fits = [song.entity_id for song in songs if mood in song.moods and genre in song.genres][:20]
        title = next(names.names(names.PLAYLISTS, rng, mood=mood.title(), genre=genre.title()))
        yield Work(
            f"playlist-{rank:02}",
            "playlist",
            title,
            {genre: 1.0},
            {mood: 1.0},
            0.4 * rank**-FAME,
            rng.randrange(30, 900),
            "",
            "",
            tuple(fits),
        )


def _stations(rng: Random, artists: list[Work]) -> Iterator[Work]:
    taken: set[str] = set()
    for rank in range(1, STATIONS + 1):
        genre, mood = rng.choice(GENRES), rng.choice(sorted(MOODS))
        plays = [artist.entity_id for artist in artists if genre in artist.genres][:10]
        title = names.new(names.names(names.STATIONS, rng), taken)
        yield Work(
            f"station-{rank:02}",
            "station",
            title,
            {genre: 1.0},
            {mood: 0.6},
            0.3 * rank**-FAME,
            rng.randrange(30, 3_000),
            "",
            "",
            tuple(plays),
        )


def _podcasts(rng: Random) -> Iterator[Work]:
    taken: set[str] = set()
    for number, (_, topic) in enumerate(product(range(PODCASTS), TOPICS), 1):
        title = names.new(names.names(names.PODCASTS, rng, topic=topic.title()), taken)
        yield Work(f"podcast-{number:02}", "podcast", title, {topic: 1.0}, {}, 0.3 * number**-FAME, rng.randrange(5, 1_500))


def described(work: Work, works: Mapping[str, Work], rng: Random) -> Entity:
    """What the catalogue says of a work."""
    by = works[work.artist].title if work.artist else ""
    on = works[work.album].title if work.album else ""
    text = {
        "song": f"Song by {by} on {on}", "album": f"Album by {by}", "artist": "Artist", "playlist": "Playlist", "station": "Radio station",
        "podcast": f"Podcast about {work.genre}",
    }[work.type]  # fmt: skip
    links = [Related(type="by", entity_id=work.artist)] if work.type in ("song", "album") else []
    links += [Related(type="on", entity_id=work.album)] if work.type == "song" else []
    links += [Related(type="plays", entity_id=one) for one in work.holds]
    tags = {"topic" if work.type == "podcast" else "genre": _tags(work.genres, rng), "mood": _tags(work.moods, rng)}
    return Entity(
        entity_id=work.entity_id,
        entity_type=work.type,
        title=work.title,
        text=text,
        attributes={name: values for name, values in tags.items() if values},
        related=links,
        popularity=round(1_000 * work.fame * 3 ** rng.uniform(-1.0, 1.0), 3),
        created_at=TODAY - DAY * work.age,
    )


def _tags(weights: Mapping[str, float], rng: Random) -> list[AttributeValue]:
    """The tags that were entered: strong ones by a person, of the others half, by a model that is somewhat off."""
    out = []
    for value, weight in weights.items():
        said = round(min(1.0, max(0.05, weight + rng.uniform(-0.2, 0.2))), 2)
        if weight >= SURE:
            out.append(AttributeValue(value=value, confidence=1.0, source="human"))
        elif rng.random() < TAGGED:
            out.append(AttributeValue(value=value, confidence=said, source="model"))
    return out
