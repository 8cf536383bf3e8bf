"""What a demo run shows, in sentences that are computed from its figures. Every threshold behind a word stands here."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from display.numbers import interval, listed, percent, signed
from display.words import in_full, named
from evaluation.contenders import CONVEX, LEARNED, RIVALS

Figures = Mapping[str, Any]

LIKELY = 0.5  # a strategy asked at that chance or more is "mostly asked"
MOVED = 0.1  # chances that differ by less are the same to a reader
BACK = 0.95  # of the page quality before the drift: hardly less
AROUND = 3  # windows on both sides of the drift that are compared
NEARLY = 0.8  # share of the places it deserves from which the album has arrived
LEVEL = 0.005  # differences of page quality up to that size are none: the page says two decimals
NEARER = 0.9  # of the error of the start, above which an estimate has won nothing
CLOSE = 0.05  # an estimated chance of being seen that is off by at most so much is right


class Verdict(NamedTuple):
    """A word, its tone (a class of the style sheet) and the sentence that explains it."""

    word: str
    tone: str
    sentence: str


def verdict(figures: Figures) -> Verdict:
    """Ahead of both fixed mixes, behind one of them, or neither: as the intervals of the settled searches say."""
    ahead = figures["ahead"]
    between = "; ".join(f"{difference(one)} against the {named(name).lower()}" for name, one in ahead.items())
    learned = figures["quality"][LEARNED]
    told = f"Page quality: {between}, over the last {figures['settled']:,} searches. It went from {learned[0]:.2f} to {learned[-1]:.2f}."
    if all(one["low"] > 0 for one in ahead.values()):
        return Verdict("AHEAD", "ahead", f"Forage's pages are better than both fixed mixes of the same methods. {told}")
    if behind := [named(name).lower() for name, one in ahead.items() if one["high"] < 0]:
        return Verdict("BEHIND", "behind", f"Forage's pages are not as good as the {' and the '.join(behind)}. {told}")
    even = [named(name).lower() for name, one in ahead.items() if one["low"] <= 0]
    return Verdict("NOT YET", "not-yet", f"Forage's pages and the {' and the '.join(even)} cannot be told apart yet. {told}")


def difference(one: Mapping[str, float]) -> str:
    """A mean with its interval."""
    return f"{signed(one['mean'])} ({interval(one['low'], one['high'])})"


def quality(figures: Figures) -> str:
    """Since when Forage has been ahead of each rival."""
    out = []
    for rival, minus in figures["minus"].items():
        since = _for_good([mean > 0 for mean in minus["mean"]])
        name = named(rival).lower()
        if since is None:
            out.append(f"Its pages are not ahead of the {name} at the end.")
        elif since == 0:
            out.append(f"Its pages were ahead of the {name} from the beginning.")
        else:
            out.append(f"Its pages have been ahead of the {name} in every window since search {since * figures['window']:,}.")
    return " ".join(out)


def drifted(figures: Figures) -> str:
    """Page quality before the drift, right after it and at the end; beside it that of the mix which cannot learn."""
    drift, quality = figures["drift"], figures["quality"]
    if not drift or not AROUND <= drift["window"] <= len(quality[LEARNED]) - AROUND:
        return "The run is too short to say what the drift cost."
    at, per = drift["window"], AROUND * figures["window"]

    def way(name: str) -> tuple[float, float, float]:
        return _mean(quality[name][at - AROUND : at]), _mean(quality[name][at : at + AROUND]), _mean(quality[name][-AROUND:])

    before, after, end = way(LEARNED)
    cost = "cost little" if after >= BACK * before else "was costly"
    back = "as good as before or better" if end >= before else "nearly back" if end >= BACK * before else "not back yet"
    told = (
        f"The drift {cost}: page quality was {before:.2f} in the {per:,} searches before it, {after:.2f} in the {per:,} after it, "
        f"and {end:.2f} in the last {per:,}, {back}."
    )
    if CONVEX not in quality:
        return told
    fixed = way(CONVEX)
    return f"{told} The {named(CONVEX).lower()}, which learns nothing, went from {fixed[0]:.2f} to {fixed[1]:.2f} to {fixed[2]:.2f}."


def asked(figures: Figures) -> str:
    """Which strategies are mostly asked for topical, which for spearfishing queries, and where the two differ most."""
    chance = {group: one["chance"] for group, one in figures["groups"].items()}
    out = []
    for group, one in chance.items():
        likely = [named(name) for name, p in sorted(one.items(), key=lambda pair: (-(pair[1] or 0.0), pair[0])) if (p or 0.0) >= LIKELY]
        out.append(f"{named(group)} searches mostly get {listed(likely) if likely else 'no method more often than not'}.")
    topical, spear = chance["topical"], chance["spearfishing"]
    gaps = {name: topical[name] - spear[name] for name in topical if None not in (topical[name], spear[name])}
    name = max(gaps, key=lambda one: (abs(gaps[one]), one), default=None)
    if name is None or abs(gaps[name]) < MOVED:
        return " ".join([*out, f"No method's chance differs by more than {percent(MOVED)} between the two."])
    told = f"{named(name)} differs most: asked for {percent(topical[name])} of topical and {percent(spear[name])} of spearfishing searches."
    return " ".join([*out, told])


def moved(figures: Figures) -> str:
    """Which chances the drift moved, for topical queries."""
    one = figures["groups"]["topical"]
    if not figures["drift"]:
        return ""
    change = {name: p - one["drift"][name] for name, p in one["chance"].items() if None not in (p, one["drift"].get(name))}
    told = sorted((name for name, by in change.items() if abs(by) >= MOVED), key=lambda name: (-abs(change[name]), name))[:3]
    if not told:
        return f"Since the drift, no method's chance on topical searches has moved by more than {percent(MOVED)}."
    parts = [f"{named(name)} from {percent(one['drift'][name])} to {percent(one['chance'][name])}" for name in told]
    return f"Since the drift, chances on topical searches moved: {listed(parts)}."


def album(figures: Figures) -> str:
    """When the new album had its places."""
    drift, places = figures["drift"], figures["places"]["album"]
    if not drift or drift["window"] >= len(places["on"]):
        return "The run is too short: the album never came out."
    at, per = drift["window"], figures["window"]
    shares = [on / best if best else 0.0 for on, best in zip(places["on"][at:], places["best"][at:], strict=True)]
    arrived = next((window for window, share in enumerate(shares) if share >= NEARLY), None)
    last = _mean(places["on"][-AROUND:]), _mean(places["best"][-AROUND:])
    now = f"In the last {AROUND * per:,} searches it holds {last[0]:.1f} places a page; the best pages there are give it {last[1]:.1f}."
    if arrived is None:
        return f"“{drift['album']}” has not got {percent(NEARLY)} of the places it deserves yet. {now}"
    return f"“{drift['album']}” had {percent(NEARLY)} of the places it deserves {(arrived + 1) * per:,} searches after it came out. {now}"


def ready_made(figures: Figures) -> str:
    """How fast pages let go of what nobody wants any more."""
    drift, on = figures["drift"], figures["places"]["ready_made"]["on"]
    known = [value for value in on if value is not None]
    if not drift or drift["window"] >= len(on) or len(known) < 2 * AROUND:
        return "The run is too short to tell."
    before, after = (_mean([value for value in some if value is not None]) for some in (on[: drift["window"]][-AROUND:], on[-AROUND:]))
    verb = "went down" if after < before * (1 - MOVED) else "did not go down yet"
    return f"Playlists on topical pages {verb}: from {before:.1f} a page before the drift to {after:.1f} at the end. Best would be none."


def tried(figures: Figures) -> str:
    """What exploration found."""
    found, thanks = figures["tried"], figures["thanks"]
    if not found["known"]:
        return f"Of {found['pairs']:,} pairs of a search and an item that people chose, none is known only because something was tried."
    share = found["known"] / found["pairs"]
    return (
        f"Of {found['pairs']:,} pairs of a search and an item that people chose, {found['known']:,} ({percent(share)}) are known only "
        f"because something was tried. In the last {figures['window']:,} searches {percent(thanks[-1])} of all clicks went to such a pair."
    )


def exploring(figures: Figures) -> str:
    """How much is tried, first and last."""
    against, outside, moved = figures["against"], figures["outside"], figures["moved"]
    if not any(outside) and not any(moved):
        tests = "No result was moved to test it."
    else:
        tests = (
            f"Of the results shown in the last window, {percent(outside[-1])} would not have stood on the page by their score, and "
            f"{percent(moved[-1])} stood at another place of it (first window: {percent(outside[0])} and {percent(moved[0])})."
        )
    return f"Decisions against the odds: {percent(against[0])} in the first window, {percent(against[-1])} in the last. {tests}"


def examination(figures: Figures) -> str:
    """How well the chance of being seen was learned."""
    curve = figures["examination"]
    if curve["now"] is None:
        return "The chance of being seen was not estimated in this run: it stayed at what Forage starts with, 1 / position."
    first, last = (_off(one, curve["true"]) for one in (curve["start"], curve["now"]["curve"]))
    word = "is right" if last <= CLOSE else "is nearer the truth" if last < NEARER * first else "is no nearer the truth than the start"
    return f"The estimate {word}: over the {len(curve['true'])} places it is off by {last:.2f} on average, the start by {first:.2f}."


def curve(values: Sequence[float], half: Sequence[float], true: Sequence[float]) -> str:
    """The chance of being seen in words, for those who do not see the curve.

    >>> curve([1.0, 0.5], [0.0, 0.2], [1.0, 0.6])
    'Chance that a result is looked at, the first being 1. Place 2: 0.50 plus or minus 0.20, true 0.60.'
    """
    each = [
        f"Place {at}: {values[at - 1]:.2f} plus or minus {half[at - 1]:.2f}, true {true[at - 1]:.2f}"
        for at in (2, 3, 5, 10)
        if at <= len(values)
    ]
    return ". ".join(["Chance that a result is looked at, the first being 1", *each]) + "."


def _off(curve: Sequence[float], true: Sequence[float]) -> float:
    """Mean distance over the places, both curves as shares of their first."""
    return _mean([abs(one / curve[0] - other / true[0]) for one, other in zip(curve, true, strict=True)])


def memory(figures: Figures) -> str:
    """How far memory moved the scores towards the truth."""
    pairs = [pair for one in figures["memory"]["known"] for pair in one["pairs"]]
    if not pairs:
        return "Nothing is known yet: no item was chosen by two people."
    first, last = (_mean([abs(pair[of] - pair["true"]) for pair in pairs]) for of in ("expected", "now"))
    nearer = sum(abs(pair["now"] - pair["true"]) < abs(pair["expected"] - pair["true"]) for pair in pairs)
    return (
        f"For {nearer} of these {len(pairs)} pairs what happened moved the score nearer to the truth: "
        f"it was off by {first:.2f} on average, now by {last:.2f}."
    )


def by_kind(figures: Figures) -> str:
    """On which kinds of queries Forage is ahead of the better fixed mix, level with it, behind it."""
    gaps = behind(figures)
    groups = {
        "ahead of": [in_full(kind) for kind, gap in gaps.items() if gap > LEVEL],
        "level with": [in_full(kind) for kind, gap in gaps.items() if abs(gap) <= LEVEL],
        "behind": [in_full(kind) for kind, gap in gaps.items() if gap < -LEVEL],
    }
    parts = [f"{word} it on {listed(kinds)}" for word, kinds in groups.items() if kinds]
    return f"Against the better of the two fixed mixes: {', '.join(parts)}."


def behind(figures: Figures) -> dict[str, float]:
    """Kind -> Forage minus the better of the rivals, kinds without searches left out."""
    return {
        kind: one["quality"][LEARNED] - max(one["quality"][rival] for rival in RIVALS if rival in one["quality"])
        for kind, one in figures["kinds"].items()
        if one["searches"]
    }


def weights(figures: Figures) -> str:
    """What the tuned mix is."""
    parts = [
        f"{named(name)} {weight:g}" for name, weight in sorted(figures["weights"].items(), key=lambda pair: (-pair[1], pair[0])) if weight
    ]
    return f"{named(CONVEX)}: {listed(parts)}"


def _for_good(flags: Sequence[bool]) -> int | None:
    """The first index from which all flags are set; None when the last is not."""
    since = next((index for index in range(len(flags), 0, -1) if not flags[index - 1]), 0)
    return since if since < len(flags) else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
