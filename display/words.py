"""The one dictionary: for every technical term that people see, a plain label and a sentence that explains it.

Console, terminal and reports take their words from here, so that one thing has one name everywhere. The technical term is what logs,
settings and the API say; screens show it small beside the label.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Word(NamedTuple):
    """A technical term, its plain label, and one sentence of explanation (may be empty where the label says it all)."""

    term: str
    label: str
    said: str = ""


class Method(NamedTuple):
    """A search method (strategy): label, two-letter code, what it does, and its colour, one of `display.colours.METHODS` by index.

    The colour belongs to the method, never to its rank on a screen.
    """

    term: str
    label: str
    code: str
    colour: int
    said: str


YOURS = 11  # colour of every method that is not ours


def _methods(*methods: Method) -> Mapping[str, Method]:
    return {one.term: one for one in methods}


def _words(*words: tuple[str, str] | tuple[str, str, str]) -> Mapping[str, Word]:
    return {word[0]: Word(*word) for word in words}


METHODS = _methods(
    Method("lexical", "Word match", "WM", 0, "Finds items whose title or text holds the words of the search."),
    Method("dense", "Meaning match", "MM", 1, "Finds items that mean something similar, also where no word is the same."),
    Method("memory", "Chosen before", "CB", 2, "Finds what people chose before for this very search."),
    Method("neighbours", "Similar searches", "SS", 3, "Finds what people chose before for searches that look like this one."),
    Method("popular", "Most chosen", "MC", 4, "Finds what people choose most, whatever they search for."),
    Method("lexical_title", "Title match", "TM", 5, "Finds items whose title holds the words of the search."),
    Method("xmr", "Learned match", "LM", 6, "Finds items that a model has learned to go with the words of the search."),
    Method("trigrams", "Letter match", "LE", 7, "Finds items that are spelled similarly: slips and parts of words."),
    Method("lexical_all", "Text match", "XM", 8, "Finds items that hold the words of the search anywhere, all fields alike."),
    Method("fresh", "New in", "NI", 10, "Finds items that came into the catalogue lately."),
)

CONTENDERS = _words(
    ("learned", "Forage", "The page that the learned policy makes."),
    ("rrf", "Mix by rank", "All methods are always asked; an item counts by its ranks (reciprocal rank fusion). It learns nothing."),
    ("convex", "Tuned mix", "All methods are always asked; their scores are added with the best fixed weights. It learns nothing."),
)

QUERY_KINDS = _words(
    ("1", "One word"),
    ("1d", "One word, with a number"),
    ("2", "Two words"),
    ("2d", "Two words, with a number"),
    ("3", "Three words"),
    ("3d", "Three words, with a number"),
    ("many", "Four words or more"),
    ("manyd", "Four words or more, with a number"),
    ("", "Other"),
    ("mood", "Mood", "a mood"),
    ("genre", "Genre", "a genre or topic"),
    ("artist", "Artist", "an artist"),
    ("title", "Title", "a title"),
    ("mistake", "Slip", "something with a slip"),
    ("show", "Show", "a station or podcast"),
    ("topical", "Topical", "something of a kind: many items serve"),
    ("spearfishing", "Spearfishing", "one known item"),
)

ACTIONS = _words(
    ("viewed", "seen", "The item came into view."),
    ("click", "clicked"),
    ("play", "played"),
    ("add_to_cart", "put into the cart"),
    ("purchase", "bought"),
    ("like", "liked"),
    ("dwell_10s", "stayed 10 seconds"),
    ("dwell_60s", "stayed a minute"),
    ("dismiss", "dismissed"),
    ("other", "something else"),
)

STATUSES = _words(
    ("ok", "ok", "It answered in time."),
    ("failed", "failed", "It was asked and broke; the search went on without it."),
    ("late", "late", "It was asked and did not answer within the time allowed; what it found was not waited for."),
    ("not_asked", "not asked", "By its chance for this search it was left out."),
)

ROLES = _words(
    ("arm", "learning", "Its chance of being asked is learned."),
    ("always", "always on", "It is asked for every search."),
    ("shadow", "rehearsal", "It was asked for the log alone; what it found changed nothing on the page."),
    ("unknown", "not in use", "It is installed, but the version in use does not know it."),
)

PLACEMENTS = _words(
    ("score", "by score", "The score put it at this place."),
    ("slot", "test position", "It came from outside the page, to find out whether people want it."),
    ("swap", "test exchange", "It changed places with its neighbour, to find out how much the place matters."),
    ("team", "by turns", "Two ways of ranking picked in turns, to compare them on one page."),
)

STAGES = _words(
    ("received", "Received", "Events that came in."),
    ("matched", "Matched", "Actions that found the search they belong to."),
    ("counted", "Counted", "Searches and actions that count."),
    ("learned", "Learned", "Searches that have settled, some minutes after their page: models learn from these."),
    ("published", "Published", "Versions that were made of what was learned."),
    ("loaded", "Loaded", "Versions that the search servers have taken over."),
    ("used", "Used", "Pages that went out with what was learned."),
)

SET_ASIDE = _words(
    ("invalid", "not readable", "It is not a valid event; what sent it has to be mended."),
    ("ts_out_of_range", "wrong time", "Its time is far from now; check the clock of what sent it."),
    ("conflict", "same id, other content", "Two different events carry one id; ids must be unique."),
    ("unmatched", "no search found", "No search with its id was seen in time: it was never logged, or the id is wrong."),
    ("too_late", "too late", "It came after its search was counted."),
)

LACKING = _words(
    ("policy", "no learned version", "Search asks every method and mixes by rank until one is published."),
    ("memory", "no memory", "What people chose before is not known here now; scores are expectations alone."),
    ("encoder", "no meaning match", "The model that turns words into meaning is not there; word methods answer."),
    ("broker", "event broker away", "Search goes on; events are kept on disk until the broker is back."),
    ("events", "events not taken", "There is no room for events now; searches are answered and not learned from."),
)

TERMS = _words(
    ("strategy", "search method", "One way of finding items; a page is made of what several methods found."),
    ("arm", "search method that competes", "A method whose chance of being asked is learned."),
    ("propensity", "chance of being asked", "How likely the method was to be asked for this search; methods are drawn one by one."),
    ("depth", "wanted", "How many items the method was asked for."),
    ("returned", "returned", "How many items the method gave."),
    ("exploration", "trying out", "Now and then doing what does not look best, to find out what is."),
    ("placement", "test position", "A place on the page that was drawn and not earned, with a known chance."),
    ("examination", "chance of being seen", "How likely people are to look at this place of a page; the first place counts as 1."),
    ("q2e", "score", "How well the item does for this search: what was expected, replaced by what happened as more is known."),
    ("prior", "expected", "The chance that people who look at the item choose it, before anyone tried it for this search."),
    ("reward", "choices", "What people did with the item for this search, a click counting 1, older days less."),
    ("examined", "looks", "How often the item was looked at for this search: showings times the chance of being seen, older days less."),
    ("kappa", "weight of what was expected", "What was expected counts as much as so many looks."),
    ("contribution", "points", "What one reason adds to the expectation, in log-odds; points add up, per cents do not."),
    ("convex", "fixed mix", "All methods mixed with fixed weights; the yardstick that learning has to beat."),
    ("snapshot", "version", "All that was learned up to a moment, as search uses it."),
    ("pin", "held", "The version stays in use; newer ones are made, but wait."),
    ("unpin", "release hold", "The newest version comes into use again."),
    ("rollback", "go back", "Publishes the contents of an earlier version as a new entry and holds it."),
    ("refresh", "update", "The same settings with newer evidence."),
    ("release", "change", "Other settings or another model; it is checked before it comes into use."),
    ("quarantine", "set-aside events", "Events that do not count, kept with the reason."),
    ("watermark", "counted up to", "Everything that happened up to this time is counted."),
    ("lag", "running behind", "Events that have come in and are not counted yet."),
    ("segment", "shopper group", "People whose choices are also remembered apart."),
    ("entity", "item", "Anything that can be found: a product, an album, a page."),
    ("query_class", "kind of search", "Searches by number of words, and whether a number is among them."),
    ("min_clients", "different people needed", "Choices are shown to others once so many different people made them."),
    ("calibration", "do predictions come true?", "Of the items given a chance of 1 in 10, 1 in 10 should be chosen."),
    ("interleaving", "by turns on one page", "Two ways of ranking share a page; people's choices decide between them."),
    ("split", "two groups of people", "Each group gets one of two versions all the time."),
    ("interval", "95 % interval", "In 95 of 100 repetitions an interval made like this holds the true value."),
)  # fmt: skip

GLOSSARY: Mapping[str, Mapping[str, Word]] = {
    "What Forage says": TERMS,
    "Kinds of searches": {term: word for term, word in QUERY_KINDS.items() if term[:1] in {"", "1", "2", "3"} or term.startswith("many")},
    "What people do": ACTIONS,
    "How a method is used": ROLES,
    "What came of asking": STATUSES,
    "How a place came about": PLACEMENTS,
    "The way of an event": STAGES,
    "Why an event does not count": SET_ASIDE,
    "What may be missing": LACKING,
    "What is compared": CONTENDERS,
}

_LABELS = {term: word.label for words in (QUERY_KINDS, CONTENDERS, METHODS) for term, word in words.items() if term}


def method(name: str) -> Method:
    """The method of this name; one that is not ours keeps its name as label, with a code of its first letters.

    >>> method("lexical").label, method("house_brands").label, method("house_brands").code, method("x").code
    ('Word match', 'House brands', 'HB', 'X')
    """
    known = METHODS.get(name)
    if known is not None:
        return known
    parts = [part for part in name.split("_") if part] or ["?"]
    code = (parts[0][0] + parts[1][0] if len(parts) > 1 else parts[0][:2]).upper()
    return Method(name, " ".join(parts).capitalize(), code, YOURS, "A method of your own.")


def named(term: str) -> str:
    """The plain label of a method, contender or kind of search; the term itself where there is none."""
    return _LABELS.get(term, term)


def in_full(kind: str) -> str:
    """A kind of search in the middle of a sentence.

    >>> in_full("mistake"), in_full("2d"), in_full("?")
    ('something with a slip', 'two words, with a number', '?')
    """
    word = QUERY_KINDS.get(kind)
    if word is None:
        return kind
    return word.said or word.label[:1].lower() + word.label[1:]
