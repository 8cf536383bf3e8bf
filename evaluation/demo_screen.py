"""The demo while it runs, as lines of text: is it learning, right now? Pure; who owns the terminal draws them (ops.demo_terminal)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from display.words import named
from evaluation.contenders import CONVEX, LEARNED, RRF
from evaluation.demo_figures import Watched, difference, window_of

LATEST = 200  # searches behind "now"
SHARP = 30  # searches below which nobody is ahead of anybody
BAR, SPARK = 10, 36  # columns

Style = Literal["", "head", "learned", "topical", "spearfishing", "dim"]


class Part(NamedTuple):
    """A piece of a line and how it looks."""

    text: str
    style: Style = ""


@dataclass(frozen=True)
class Glyphs:
    """What bars and small lines are drawn with."""

    full: str = "▇"
    empty: str = "·"
    steps: str = "▁▂▃▄▅▆▇█"
    drift: str = "│"
    minus: str = "−"


ASCII = Glyphs("#", ".", "_.-=+*%#", "|", "-")


@dataclass(frozen=True)
class Scene:
    """What does not change during a run."""

    about: Mapping[str, Any]
    searches: int
    drift_at: int
    strategies: Sequence[str]


def lines(scene: Scene, watched: Sequence[Watched], glyphs: Glyphs) -> list[list[Part]]:
    """The whole screen, at most 80 columns and 23 lines for eight strategies."""
    latest = watched[-LATEST:]
    return [
        _progress(scene, len(watched), glyphs),
        [Part(_world(scene, len(watched)), "dim")],
        [],
        [Part(f"{'PAGE QUALITY, 0 to 1':22}{'so far':>8}{f'last {LATEST}':>10}   over time", "head")],
        *(_quality(name, scene, watched, glyphs) for name in (LEARNED, RRF, CONVEX)),
        [_verdict(latest, glyphs)],
        [],
        [Part(f"{f'ASKED, last {LATEST}':22}{named('topical'):20}{named('spearfishing')}", "head")],
        *(_strategy(name, latest, glyphs) for name in scene.strategies),
        [],
        [Part(f"{'TRYING OUT':22}", "head"), Part(_trying(latest))],
        [Part(f"{'CLICKS':22}", "head"), Part(_clicks(watched, latest))],
        [Part(f"{'NEW ALBUM':22}", "head"), Part(_album(scene, watched, latest))],
    ]


def line(scene: Scene, watched: Sequence[Watched]) -> str:
    """One window in one plain line, for where nothing can be drawn."""
    window = watched[-window_of(scene.searches) :]
    told = "   ".join(f"{named(name).lower()} {_quality_of(name, window):.3f}" for name in (LEARNED, RRF, CONVEX))
    return f"{len(watched):>7,} searches   {told}   {_mean(window, lambda one: one.asked):.2f} methods a search"


def drift_line(scene: Scene) -> str:
    """What happens halfway."""
    return f"drift: “{scene.about['album']}” is a hit, moods turn, playlists are out"


def _progress(scene: Scene, done: int, glyphs: Glyphs) -> list[Part]:
    share = done / scene.searches
    return [
        Part("Forage demo", "head"),
        Part(f"  seed {scene.about['seed']}  {done:>7,} of {scene.searches:,} searches  "),
        Part(_bar(share, glyphs, 24), "learned"),
        Part(f" {100 * share:3.0f} %"),
    ]


def _world(scene: Scene, done: int) -> str:
    if scene.drift_at and done > scene.drift_at:
        return drift_line(scene)
    items = sum(scene.about["catalogue"].values())
    return f"{scene.about['people']} people search a music catalogue of {items} items; their wishes change at {scene.drift_at:,}"


def _quality(name: str, scene: Scene, watched: Sequence[Watched], glyphs: Glyphs) -> list[Part]:
    style: Style = "learned" if name == LEARNED else ""
    return [
        Part(f"{named(name):22}{_quality_of(name, watched):>8.3f}{_quality_of(name, watched[-LATEST:]):>10.3f}   ", style),
        Part(_spark(name, scene, watched, glyphs), style),
    ]


def _spark(name: str, scene: Scene, watched: Sequence[Watched], glyphs: Glyphs) -> str:
    """A step for each window so far, all contenders on one scale; a bar where the drift came."""
    window = window_of(scene.searches)
    size = window * -(-scene.searches // (SPARK * window))
    parts = [watched[start : start + size] for start in range(0, len(watched) - size + 1, size)]
    known = [[_quality_of(of, part) for part in parts] for of in (LEARNED, RRF, CONVEX)]
    low, high = (edge((value for values in known for value in values), default=0.0) for edge in (min, max))
    out = ""
    for index, value in enumerate(known[(LEARNED, RRF, CONVEX).index(name)]):
        if index and (index - 1) * size < scene.drift_at <= index * size:
            out += glyphs.drift
        out += glyphs.steps[min(7, int(8 * (value - low) / (high - low)))] if high > low else glyphs.steps[3]
    return out


def _verdict(latest: Sequence[Watched], glyphs: Glyphs) -> Part:
    if len(latest) < SHARP:
        return Part("")
    told = {name: difference(latest, name) for name in (RRF, CONVEX)}
    ahead, behind = ([name for name, (mean, half) in told.items() if sign * mean > half] for sign in (1, -1))
    word = "AHEAD" if len(ahead) == len(told) else "BEHIND" if behind else "NOT YET AHEAD"
    text = ", ".join(f"{mean:+.3f} ± {half:.3f} ({named(name).lower()})" for name, (mean, half) in told.items())
    return Part(f"{word}: {text}".replace("-", glyphs.minus), "learned")


def _strategy(name: str, latest: Sequence[Watched], glyphs: Glyphs) -> list[Part]:
    out = [Part(f"{named(name):22}")]
    groups: tuple[tuple[Style, bool], ...] = (("topical", True), ("spearfishing", False))
    for style, topical in groups:
        some = [one for one in latest if one.topical == topical and name in one.chance]
        if not some:
            out.append(Part(f"{'-':20}"))
            continue
        chance = _mean(some, lambda one: one.chance[name])
        out += [Part(_bar(chance, glyphs, BAR), style), Part(f" {100 * chance:3.0f} %    ")]
    return out


def _trying(latest: Sequence[Watched]) -> str:
    against, outside = _mean(latest, lambda one: one.against), _mean(latest, lambda one: one.outside)
    return f"{100 * against:.0f} % of decisions against the odds, {100 * outside:.0f} % of results from outside"


def _clicks(watched: Sequence[Watched], latest: Sequence[Watched]) -> str:
    clicks = sum(one.clicks for one in latest)
    thanks = sum(one.thanks for one in latest) / max(1, clicks)
    return f"{sum(one.clicks for one in watched):,}; {clicks / len(latest):.2f} a search now, {100 * thanks:.0f} % of them thanks to trying"


def _album(scene: Scene, watched: Sequence[Watched], latest: Sequence[Watched]) -> str:
    if not scene.drift_at or len(watched) <= scene.drift_at:
        return "not out yet"
    since = latest[-(len(watched) - scene.drift_at) :]
    on, best = _mean(since, lambda one: one.album[0]), _mean(since, lambda one: one.album[1])
    return f"{on:.2f} places a page; the best pages there are: {best:.2f}"


def _bar(share: float, glyphs: Glyphs, columns: int) -> str:
    full = round(columns * min(1.0, max(0.0, share)))
    return glyphs.full * full + glyphs.empty * (columns - full)


def _mean(some: Sequence[Watched], of: Callable[[Watched], float]) -> float:
    return sum(map(of, some)) / len(some)


def _quality_of(name: str, some: Sequence[Watched]) -> float:
    return _mean(some, lambda one: one.quality[name])
