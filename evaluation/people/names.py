"""Words and patterns that the generated catalogue is named with. All names are made up; any that exist are a coincidence."""

from collections.abc import Iterator, Mapping
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: Mapping[str, tuple[str, ...]] = {
    "given": _words(
        "Alma Amadou Bruno Carla Dario Elin Farid Greta Hugo Ines Jonas Kaya Lior Mira Nils Odette Pavel Quinn Rosa Sami Tessa Ulla Vera "
        "Wanda Yara Zeno Noor Mateo Ingrid Kofi Leila Marek Naomi Oskar Priya Ravi Selma Tomas Ximena Yuki"
    ),
    "family": _words(
        "Abernathy Bellweather Calloway Dunmore Eastwick Fairbanks Galloway Hawthorne Ingram Jessamine Kingsley Lockhart Merriweather "
        "Nightingale Okafor Pemberton Quill Ravensworth Sinclair Thornton Underhill Valentine Whitlock Yarrow Zimmer Almeida Benassi "
        "Castellan Demir Eriksen Fontaine Haddad Ishikawa Kowalczyk Lindqvist Moreau Nakamura Osei Petrov Salazar"
    ),
    "adjective": _words(
        "Amber Broken Crimson Distant Electric Faded Golden Hollow Ivory Jaded Kindred Lonely Midnight Northern Open Paper Quiet Restless "
        "Silver Tender Unwritten Velvet Wandering Yellow Burning Crooked Frozen Hidden Indigo Patient Secret Slow Wild"
    ),
    "plural": _words(
        "Anchors Bridges Candles Deserts Echoes Feathers Gardens Harbours Islands Journeys Kingdoms Lanterns Mirrors Nomads Oceans Pilots "
        "Questions Rivers Shadows Towers Umbrellas Voices Windows Yesterdays Satellites Foxes Sailors Swallows Tigers Engines"
    ),
    "spot": _words(
        "Bridge City Door Fire Garden Harbour Light Moon Night Rain River Sea Sky Stairs Train Window Mountain Kitchen Station Lake Orchard"
    ),
    "place": _words(
        "Aurora Brighton Cordoba Dakota Elmwood Fjordland Granada Havana Ithaca Juniper Kyoto Lisbon Montauk Nairobi Oslo Palermo Quito "
        "Riga Savannah Tangier Utrecht Valparaiso"
    ),
    "season": _words("Winter Summer Spring Autumn December April September"),
    "time": _words("Sunday Monday Midnight Morning Friday Yesterday Tomorrow"),
    "verb": _words("Carry Dance Follow Forgive Hold Leave Meet Remember Save Find Wake Watch Call Teach Keep"),
    "single": _words(
        "Undertow Marigold Halcyon Overgrown Telegraph Paperweight Afterglow Driftwood Gravity Honeycomb Kerosene Labyrinth Moonshine "
        "Nightfall Parachute Quicksand Rosewater Sandcastle Tangerine Vertigo Waterline Almanac Blackbird Cinnamon Daybreak "
        "Evergreen Featherweight Gasoline Heirloom Icebreaker Jigsaw Kaleidoscope Lighthouse Metronome "
        "Nectar Origami Postcard Runaway Stardust Thunderclap"
    ),
    "number": _words("Two Three Seven Nine Ten Hundred Thousand"),
    "instrument": _words("Strings Piano Cello Horns Winds Harp"),
    "key": _words("A B C D E F G"),
    "band": _words("Quartet Collective Choir Orchestra Sound Trio Ensemble"),
}  # fmt: skip

ARTISTS = (
    "{given} {family}", "{given} {family}", "{given} {family}", "The {adjective} {plural}", "{adjective} {spot}", "{given} & the {plural}",
    "{place} {band}", "{single}", "{family} & {family}",
)  # fmt: skip
SONGS = (
    "{adjective} {spot}", "{adjective} {plural}", "{verb} Me by the {spot}", "{single}", "{spot} in {season}", "{number} {plural}",
    "Before the {spot}", "Another {time}", "Letters to {given}", "When the {plural} Sleep", "Don't {verb} the {spot}",
    "{season} in {place}",
    "Waltz for {given}",
)  # fmt: skip
SONGS_OF: Mapping[str, tuple[str, ...]] = {  # besides the others
    "classical": ("Nocturne in {key} Minor", "{season} Suite for {instrument}", "Prelude to {season}"),
    "jazz": ("Blues for {given}", "{place} After Dark", "Round the {spot}"),
    "electronic": ("{single} (Night Mix)", "{place} Signal", "{adjective} Circuit", "{time} at the {spot}"),
    "hip hop": ("{place} Corner", "Block by the {spot}", "{number} Rhymes"),
    "country": ("Dust on the {spot}", "{season} in My Truck", "{given}'s Road Home"),
}
ALBUMS = (
    "{plural} of {place}", "{place} {season}", "Songs for {plural}", "The {adjective} Year", "{adjective} {plural}", "{spot} Sessions",
    "A {spot} of One's Own", "{single}",
)  # fmt: skip
PLAYLISTS = (
    "{mood} {genre} Mix", "{mood} {genre} Essentials", "Simply {mood} {genre}", "{genre} for {time}", "{mood} {time}", "{time} in {place}",
    "{season} {genre}",
)  # fmt: skip
STATIONS = ("Radio {place}", "{place} FM", "{spot} Radio", "The {adjective} Frequency")
PODCASTS = (
    "The {topic} Hour",
    "{given} Talks {topic}",
    "{topic} Over Coffee",
    "Ten Minutes of {topic}",
    "{adjective} {topic}",
    "{topic} with {given}",
)

GENRES = ("pop", "rock", "jazz", "electronic", "folk", "soul", "hip hop", "classical", "country")
# Genre -> other words for it, mood -> other words for it. The catalogue does not know these words: only people's choices connect them.
GENRE_WORDS = {
    "pop": ("chart music", "top forty"), "rock": ("guitar bands", "indie"), "jazz": ("swing", "bebop"), "electronic": ("techno", "house"),
    "folk": ("acoustic", "campfire"), "soul": ("motown",), "hip hop": ("rap",), "classical": ("orchestral", "symphony"),
    "country": ("honky tonk",),
}  # fmt: skip
MOODS = {
    "angry": ("shouting", "breakup"),
    "calm": ("relaxing", "sleep", "study"),
    "dreamy": ("stargazing", "night drive"),
    "happy": ("cheerful", "sunny", "good mood"),
    "sad": ("heartbreak", "crying", "gloomy"),
    "energetic": ("workout", "running", "gym"),
    "romantic": ("love songs", "date night", "candlelight"),
    "party": ("dance floor", "club", "birthday"),
}
TOPICS = {
    "history": ("ancient rome",), "science": ("space",), "football": ("soccer",), "cooking": ("recipes",), "crime": ("detectives",),
    "comedy": ("jokes",), "books": ("novels",), "travel": ("holidays",),
}  # fmt: skip


def names(patterns: tuple[str, ...], rng: Random, **fixed: str) -> Iterator[str]:
    """Names without end, each made of a pattern and words drawn by `rng`; the same one may come again."""
    while True:
        pattern = rng.choice(patterns)
        drawn = {kind: rng.sample(words, 2) for kind, words in WORDS.items()}
        out = pattern
        for kind, pair in (*drawn.items(), *((kind, [word, word]) for kind, word in fixed.items())):
            for word in pair:  # "{family} & {family}" is two people
                out = out.replace(f"{{{kind}}}", word, 1)
        yield out


def new(names: Iterator[str], taken: set[str]) -> str:
    """The next name that is not taken; it is taken then."""
    name = next(one for one in names if one not in taken)
    taken.add(name)
    return name
