"""Words that the generated catalogue is named with. All names are made up; any that exist are a coincidence."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN = _words(
    "Alma Bruno Carla Dario Elin Farid Greta Hugo Ines Jonas Kaya Lior "
    "Mira Nils Odette Pavel Quinn Rosa Sami Tessa Ulla Vera Wanda Yara Zeno"
)
FAMILY = _words(
    "Abernathy Bellweather Calloway Dunmore Eastwick Fairbanks Galloway Hawthorne Ingram Jessamine Kingsley Lockhart Merriweather "
    "Nightingale Okafor Pemberton Quill Ravensworth Sinclair Thornton Underhill Valentine Whitlock Yarrow Zimmer"
)
ADJECTIVES = _words(
    "Amber Broken Crimson Distant Electric Faded Golden Hollow Ivory Jaded Kindred Lonely Midnight Northern Open Paper Quiet Restless "
    "Silver Tender Unwritten Velvet Wandering Yellow Burning"
)
NOUNS = _words(
    "Anchors Bridges Candles Deserts Echoes Feathers Gardens Harbours Islands Journeys Kingdoms Lanterns Mirrors Nomads Oceans Pilots "
    "Questions Rivers Shadows Towers Umbrellas Voices Windows Yesterdays Satellites"
)
PLACES = _words("Aurora Brighton Cordoba Dakota Elmwood Fjordland Granada Havana Ithaca Juniper Kyoto Lisbon Montauk Nairobi Oslo")
ACTIONS = _words("Carry Dance Follow Forgive Hold Leave Meet Remember Save Find Wake Watch")
SPOTS = _words("Bridge City Door Fire Garden Harbour Light Moon Night Rain River Sea Sky Stairs Train Window")

GENRES = ("pop", "rock", "jazz", "electronic", "folk", "soul", "hip hop", "classical")
# Mood -> other words that people use for it. The catalogue does not know these words: only people's choices connect them.
MOODS = {
    "calm": ("relaxing", "sleep", "study"),
    "happy": ("cheerful", "sunny", "good mood"),
    "sad": ("heartbreak", "crying", "gloomy"),
    "energetic": ("workout", "running", "gym"),
    "romantic": ("love songs", "date night", "candlelight"),
    "party": ("dance floor", "club", "birthday"),
}
