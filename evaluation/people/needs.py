"""What people type, and what is of use to them then: query -> entity -> relevance in (0, 1], in one world.

Topical queries (a mood, a genre, an artist) ask for something of a kind: many entities serve, and which of them people prefer stands in no
text. Spearfishing queries (a title, a title or artist with a slip, a station or podcast by name) ask for one known thing. The distinction
is that of Broder (2002), "A taxonomy of web search", informational against navigational.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from evaluation.people.catalogue import Work
from evaluation.people.drift import World
from evaluation.people.names import GENRE_WORDS, MOODS, TOPICS

Kind = Literal["mood", "genre", "artist", "title", "mistake", "show"]
Group = Literal["topical", "spearfishing"]
KINDS: dict[Kind, float] = {"mood": 0.22, "genre": 0.15, "artist": 0.18, "title": 0.2, "mistake": 0.15, "show": 0.1}  # share of searches
NEEDS: dict[Kind, int] = {"mood": 24, "genre": 26, "artist": 40, "title": 150, "mistake": 120, "show": 40}  # different queries
GROUPS: dict[Group, tuple[Kind, ...]] = {"topical": ("mood", "genre", "artist"), "spearfishing": ("title", "mistake", "show")}
FAVOURED, OTHERWISE = 1.0, 0.35  # a mood is best served by the genre that is favoured for it
WANTED = 20  # entities that serve a topical query at most; the rest is as good as nothing
NEW = 400  # days within which something counts as new


@dataclass(frozen=True, slots=True)
class Need:
    """What a query is typed for: entity -> relevance in (0, 1]; `by_taste` where the person's taste has a say."""

    kind: Kind
    query: str
    relevant: Mapping[str, float]
    by_taste: bool = False

    @property
    def group(self) -> Group:
        return "topical" if self.kind in GROUPS["topical"] else "spearfishing"


Needs = Mapping[Kind, Sequence[Need]]
Suits = Callable[[Work], float]


def needs_of(world: World, seed: int) -> Needs:
    """The needs of a world, most frequent first within their kind."""
    titles = list(_titles(world))
    artists = [_artist(world, work) for work in _of(world, "artist")]
    moods, genres = list(_moods(world)), list(_genres(world))
    for some in (moods, genres):  # the shorter, the more often it is typed
        Random(f"topics {seed}").shuffle(some)
        some.sort(key=lambda need: need.query.count(" "))
    right = [need for pair in zip(artists, titles, strict=False) for need in pair]
    # Its own generator for each: the slips of the queries that were there before stay what they were.
    wrong = [Need("mistake", mistyped(need.query, Random(f"slip {seed} {need.query}")), need.relevant) for need in right]
    every: dict[Kind, list[Need]] = {
        "mood": moods, "genre": genres, "artist": artists, "title": titles, "mistake": _once(wrong), "show": list(_shows(world)),
    }  # fmt: skip
    return {kind: some[: NEEDS[kind]] for kind, some in every.items()}


def mistyped(query: str, rng: Random) -> str:
    """The query with one slip in its longest word: two letters exchanged, one left out, or one doubled. Never the query itself."""
    words = query.split()
    at = max(range(len(words)), key=lambda index: len(words[index]))
    word = words[at]
    while word == words[at]:
        place = rng.randrange(1, len(word) - 1)
        before, letter, after = word[:place], word[place], word[place + 1 :]
        word = rng.choice((before + after[0] + letter + after[1:], before + after, before + letter + letter + after))
    return " ".join([*words[:at], word, *words[at + 1 :]])


def _of(world: World, *types: str) -> list[Work]:
    return [work for work in world.works.values() if work.type in types]


def _once(needs: Sequence[Need]) -> list[Need]:
    """The first need of each query."""
    return list({need.query: need for need in reversed(needs)}.values())[::-1]


def _titles(world: World) -> Iterator[Need]:
    """The work itself; others of that title, its artist and its album would do for some. Nobody looks for what nobody knows."""
    named: dict[str, dict[str, float]] = {}
    for work in _of(world, "song", "album", "playlist"):
        if not work.fame:
            continue
        relevant = named.setdefault(work.title.lower(), {})
        relevant.setdefault(work.entity_id, 0.5 if relevant else 0.95)
        for entity in {work.artist, work.album} - {"", work.entity_id}:
            relevant.setdefault(entity, 0.3)
    for title, relevant in named.items():
        yield Need("title", title, relevant)


def _artist(world: World, artist: Work) -> Need:
    """Most come for the artist's best known songs, which no text says."""
    made = [work for work in _of(world, "song", "album") if work.artist == artist.entity_id]
    relevant = {artist.entity_id: 0.5} | {
        work.entity_id: 0.4 if work.type == "album" and work.fame < artist.fame * 0.8 else max(0.1, 0.9 * min(1.0, work.fame / artist.fame))
        for work in made
    }
    return Need("artist", artist.title.lower(), relevant)


def _moods(world: World) -> Iterator[Need]:
    """A mood by its own name or another word for it, alone or with a genre."""
    for mood, others in MOODS.items():
        for word in (mood, *others):
            yield Need("mood", word, _liked(world, _mood(world, mood)), by_taste=True)
    for mood, genre in product(MOODS, GENRE_WORDS):
        fits = _liked(world, _mood_and_genre(mood, genre))
        if fits:
            yield Need("mood", f"{mood} {genre}", fits)


def _mood(world: World, mood: str) -> Suits:
    """How well a work suits a mood: by its weight, and whether its genre is favoured for the mood."""
    return lambda work: work.moods.get(mood, 0.0) * (FAVOURED if work.genre == world.favoured[mood] else OTHERWISE)


def _genre(genre: str) -> Suits:
    return lambda work: work.genres.get(genre, 0.0)


def _mood_and_genre(mood: str, genre: str) -> Suits:
    return lambda work: work.moods.get(mood, 0.0) * work.genres.get(genre, 0.0)


def _genres(world: World) -> Iterator[Need]:
    """A genre or topic by its own name or another word, what is new in it, and its stations."""
    for genre, others in GENRE_WORDS.items():
        for word in (genre, *others):
            yield Need("genre", word, _liked(world, _genre(genre)))
        if new := _newest(world, genre):
            yield Need("genre", f"new {genre}", new)
        if stations := _liked(world, _genre(genre), "station"):
            yield Need("genre", f"{genre} radio", stations)
    yield Need("genre", "new music", _newest(world))
    for topic, others in TOPICS.items():
        for word in (topic, *others):
            yield Need("genre", f"{word} podcast", _liked(world, _genre(topic), "podcast"))


def _shows(world: World) -> Iterator[Need]:
    """A station or podcast by its name."""
    for work in _of(world, "station", "podcast"):
        yield Need("show", work.title.lower(), {work.entity_id: 0.95})


def _liked(world: World, suits: Suits, *types: str) -> dict[str, float]:
    """Entities that suit, the better they suit and the better they are known the more relevant: 0.05 + 0.85 * rank^-0.7."""
    marks = [(suits(work) * work.fame, work.entity_id) for work in _of(world, *(types or ("song", "playlist")))]
    fits = sorted((pair for pair in marks if pair[0] > 0.0), key=lambda pair: (-pair[0], pair[1]))[:WANTED]
    return {entity: 0.05 + 0.85 * rank**-0.7 for rank, (_, entity) in enumerate(fits, 1)}


def _newest(world: World, genre: str = "") -> dict[str, float]:
    """The newest first, whether known or not: songs and albums of a genre, or of any."""
    new = [work for work in _of(world, "song", "album") if work.age <= NEW and (not genre or genre in work.genres)]
    new.sort(key=lambda work: (work.age, -work.fame, work.entity_id))
    return {work.entity_id: 0.05 + 0.85 * rank**-0.7 for rank, work in enumerate(new[:WANTED], 1)}
