"""People who search: what they want, what they type, how far they read, what they click. Known exactly, which real people never are.

    P(click at position k) = k^-0.7 * relevance for k up to the person's patience, else 0; each position on its own

Queries of one kind follow Zipf's law: the k-th most frequent is typed k^-1 as often as the first. Position bias and its exponent are of
the size measured in web search: Joachims et al. (2005); Wang et al. (2018), "Position bias estimation for unbiased learning to rank".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from random import Random
from typing import Literal

from evaluation.people.catalogue import MusicCatalogue, Work
from evaluation.people.names import GENRES, MOODS

Kind = Literal["title", "artist", "mood", "mistake"]
KINDS: dict[Kind, float] = {"title": 0.30, "artist": 0.25, "mood": 0.25, "mistake": 0.20}  # share of searches
NEEDS: dict[Kind, int] = {"title": 60, "artist": 30, "mood": 30, "mistake": 40}  # different queries
POSITION_BIAS, ZIPF = 0.7, 1.0
LISTENERS = 300
OTHER_GENRE = 0.5  # factor on the relevance of what is not to a person's taste, where the query leaves the choice


@dataclass(frozen=True, slots=True)
class Need:
    """What a query is typed for: entity -> relevance in (0, 1]; `by_taste` where the person's taste has a say."""

    kind: Kind
    query: str
    relevant: Mapping[str, float]
    by_taste: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """A person: the genres they like, and how many results they read at most."""

    client_id: str
    taste: frozenset[str]
    patience: int


@dataclass(frozen=True)
class People:
    """Everybody who searches, and everything that is searched for. Needs of a kind stand most frequent first."""

    works: Mapping[str, Work]
    listeners: Sequence[Listener]
    needs: Mapping[Kind, Sequence[Need]]

    def search(self, rng: Random) -> tuple[Listener, Need]:
        """Who searches next, and for what."""
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        weights = accumulate(rank**-ZIPF for rank in range(1, len(self.needs[kind]) + 1))
        return rng.choice(self.listeners), rng.choices(self.needs[kind], cum_weights=list(weights))[0]

    def relevance(self, listener: Listener, need: Need) -> dict[str, float]:
        """Entity -> relevance for this person; what is not in it is of no use to them."""
        if not need.by_taste:
            return dict(need.relevant)
        return {
            entity: value * (1.0 if self.works[entity].genre in listener.taste else OTHER_GENRE) for entity, value in need.relevant.items()
        }


def click_rate(position: int, relevance: float, *, patience: int) -> float:
    """Probability of a click on a result of that relevance at a position (from 1).

    >>> click_rate(1, 0.8, patience=5), round(click_rate(4, 0.8, patience=5), 4), click_rate(6, 0.8, patience=5)
    (0.8, 0.3031, 0.0)
    """
    return position**-POSITION_BIAS * relevance if position <= patience else 0.0


def clicks(ranked: Sequence[str], relevance: Mapping[str, float], *, patience: int, rng: Random) -> list[tuple[int, str]]:
    """(position, entity) of what is clicked on a page. One draw a position, clicked or not: equal pages are clicked alike."""
    draws = [(position, entity, rng.random()) for position, entity in enumerate(ranked, 1)]
    return [(k, entity) for k, entity, draw in draws if draw < click_rate(k, relevance.get(entity, 0.0), patience=patience)]


def people(music: MusicCatalogue, seed: int) -> People:
    """The listeners and needs of a seed."""
    rng = Random(f"people {seed}")
    listeners = [Listener(f"listener-{n:03}", frozenset(rng.sample(GENRES, 3)), rng.randint(3, 10)) for n in range(1, LISTENERS + 1)]
    titles = [_of_title(music, work) for kind in ("song", "album", "playlist") for work in music.of(kind)]
    titles.sort(key=lambda need: -max(music.works[entity].fame for entity in need.relevant))
    artists = [_of_artist(music, work) for work in music.of("artist")]
    moods = _of_moods(music)
    rng.shuffle(moods)
    right = [need for pair in zip(artists, titles[: len(artists)], strict=True) for need in pair]
    wrong = [Need("mistake", mistyped(need.query, rng), need.relevant, need.by_taste) for need in right]
    needs: dict[Kind, Sequence[Need]] = {"title": titles, "artist": artists, "mood": moods, "mistake": wrong}
    return People(music.works, listeners, {kind: some[: NEEDS[kind]] for kind, some in needs.items()})


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


def _of_title(music: MusicCatalogue, work: Work) -> Need:
    """The work itself; its artist and album would do for some."""
    relevant = {work.entity_id: 0.95}
    for entity in {work.artist, work.album} - {"", work.entity_id}:
        relevant[entity] = 0.3
    return Need("title", work.title.lower(), relevant, by_taste=False)


def _of_artist(music: MusicCatalogue, artist: Work) -> Need:
    """Most come for the artist's best known songs, which no text says."""
    made = [work for work in music.works.values() if work.artist == artist.entity_id and work is not artist]
    relevant = {artist.entity_id: 0.5} | {
        work.entity_id: 0.4 if work.type == "album" else max(0.1, 0.9 * work.fame / artist.fame) for work in made
    }
    return Need("artist", artist.title.lower(), relevant, by_taste=False)


def _of_moods(music: MusicCatalogue) -> list[Need]:
    """A mood by its own name or another word for it, alone or with a genre: songs and playlists of it, the better known the better."""
    wanted: list[tuple[str, str, str]] = [(word, mood, "") for mood, others in MOODS.items() for word in (mood, *others)]
    wanted += [(f"{mood} {genre}", mood, genre) for mood, genre in product(MOODS, GENRES)]
    return [Need("mood", query, _in_mood(music, mood, genre), by_taste=not genre) for query, mood, genre in wanted]


def _in_mood(music: MusicCatalogue, mood: str, genre: str) -> dict[str, float]:
    fits = [
        work
        for work in music.works.values()
        if work.type in ("song", "playlist") and mood in work.moods and (not genre or work.genre == genre)
    ]
    return {work.entity_id: 0.2 + 0.7 * rank**-0.5 for rank, work in enumerate(fits, 1)}
