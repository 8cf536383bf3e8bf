"""The words of the demo, in one place: plain names of strategies, rivals and kinds of queries, for the terminal and the page."""

from evaluation.contenders import LEARNED, RRF

CONVEX = "convex"  # the fixed mix with the best weights that can be found
RIVALS = (RRF, CONVEX)
NAMES = {
    LEARNED: "Forage",
    RRF: "Mix by rank",
    CONVEX: "Tuned mix",
    "lexical": "Word match",
    "lexical_title": "Title match",
    "lexical_all": "Text match",
    "trigrams": "Letter match",
    "dense": "Meaning match",
    "memory": "Chosen before",
    "neighbours": "Similar searches",
    "popular": "Most chosen",
    "xmr": "Learned match",
    "fresh": "New in",
}
KIND_NAMES = {"mood": "Mood", "genre": "Genre", "artist": "Artist", "title": "Title", "mistake": "Slip", "show": "Show"}
IN_FULL = {
    "mood": "a mood",
    "genre": "a genre or topic",
    "artist": "an artist",
    "title": "a title",
    "mistake": "something with a slip",
    "show": "a station or podcast",
}
GROUP_NAMES = {"topical": "Topical", "spearfishing": "Spearfishing"}


def named(name: str) -> str:
    """The plain name of a strategy, rival or kind; its own where there is none."""
    return NAMES.get(name) or KIND_NAMES.get(name) or GROUP_NAMES.get(name) or name


def kind_named(kind: str) -> str:
    """A kind of query in the middle of a sentence."""
    return IN_FULL.get(kind, kind)
