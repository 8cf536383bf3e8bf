"""What changes halfway through the demo: a new album, other favourites for every mood, and ready-made playlists that nobody wants any more.

Catalogues are told of the album only. That tastes moved shows in what people choose, as it does in life.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from evaluation.people import names
from evaluation.people.catalogue import FAME, MusicCatalogue, Type, Work, described
from evaluation.people.names import GENRES, MOODS
from schemas.entities import Entity

COMEBACK = 30  # the album is by the artist of that rank: known, but not who people asked for
NEW_SONGS = 7
FADED = 0.8  # factor on the fame of everything else: the new song is what people ask for most
ALBUM = "album-new"
READY_MADE: tuple[Type, ...] = ("playlist",)  # types that nobody wants after it


@dataclass(frozen=True)
class World:
    """What is true for a time: the works with their fame, and per mood the genre that people favour for it."""

    works: Mapping[str, Work]
    favoured: Mapping[str, str]


@dataclass(frozen=True)
class Drift:
    """The worlds before and after, and the entities that come out in between."""

    before: World
    after: World
    released: tuple[Entity, ...]


def drift(music: MusicCatalogue, seed: int) -> Drift:
    """The drift of a seed."""
    rng = Random(f"drift {seed}")
    first = dict(zip(sorted(MOODS), rng.sample(GENRES, len(MOODS)), strict=True))
    second = dict(zip(sorted(MOODS), [first[mood] for mood in (*sorted(MOODS)[1:], sorted(MOODS)[0])], strict=True))
    artist = music.of("artist")[COMEBACK - 1]
    new = _album(artist, {work.title for work in music.works.values()}, rng)
    later = {name: replace(work, fame=FADED * work.fame) for name, work in music.works.items()}
    later |= {work.entity_id: work for work in (*new, replace(artist, fame=1.0))}
    later |= {work.entity_id: replace(work, fame=0.0) for kind in READY_MADE for work in music.of(kind)}
    works = {work.entity_id: work for work in sorted(later.values(), key=lambda work: (-work.fame, work.entity_id))}
    # A new release has no popularity yet: only people know that it is a hit.
    entities = tuple(described(work, works, rng).model_copy(update={"popularity": 0.0}) for work in new)
    return Drift(World(music.works, first), World(works, second), entities)


def _album(artist: Work, taken: set[str], rng: Random) -> list[Work]:
    """The album and its songs; everybody knows the first ones."""
    titles = names.names(names.SONGS + names.SONGS_OF.get(artist.genre, ()), rng)
    title = names.new(names.names(names.ALBUMS, rng), taken)
    moods = sorted(MOODS)
    album = Work(ALBUM, "album", title, artist.genres, artist.moods, 0.9, 0, artist.entity_id, ALBUM)
    songs = [
        Work(f"song-new-{place}", "song", names.new(titles, taken), artist.genres, mood, place**-FAME, 0, artist.entity_id, ALBUM)
        for place, mood in enumerate(({moods[n % len(moods)]: 0.9, next(iter(artist.moods)): 0.6} for n in range(NEW_SONGS)), 1)
    ]
    return [album, *songs]
