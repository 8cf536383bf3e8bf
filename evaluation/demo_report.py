"""What a demo run learned, as one page that needs nothing else: no network, no script; light and dark; from 360 px on."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from display.charts.line import Frame, Line, Mark, both_frames
from display.charts.number_line import small_line
from display.colours import heat, style
from display.numbers import fixed, percent, signed
from display.words import in_full, named
from evaluation import demo_sentences as say
from evaluation.contenders import CONVEX, LEARNED, RIVALS, RRF
from evaluation.demo_figures import NORMAL
from evaluation.people.needs import GROUPS

WIDE, NARROW, PANEL, NARROW_PANEL = 920, 334, 440, 306  # px; beside a page of 960 and of 360
ALONE = "lexical"  # the one strategy that is drawn beside the mixes: what most search boxes do
COLOURS = {LEARNED: "main", RRF: "up", CONVEX: "down", "topical": "up", "spearfishing": "down"}  # of lines; others are grey
LEGEND = '<ul class="legend"><li class="topical"><i></i>topical</li><li class="spearfishing"><i></i>spearfishing</li></ul>'

BEST = ' class="best"'
SAID = ("quality", "drifted", "asked", "moved", "album", "ready_made", "tried", "exploring", "examination", "by_kind", "weights")

Figures = Mapping[str, Any]
Row = Sequence[str]
Values = Sequence[float | None]


def page(figures: Figures) -> str:
    """HTML of the dict that `demo_figures.summary` makes. Everything that comes from it is escaped."""
    verdict, memory, drift = say.verdict(figures), figures["memory"], figures["drift"]
    sentences = {name: escape(getattr(say, name)(figures)) for name in SAID}
    plain = {
        "verdict_word": verdict.word,
        "verdict": verdict.sentence,
        "people": f"{figures['people']:,}",
        "entities": f"{sum(figures['catalogue'].values()):,}",
        "catalogue": ", ".join(f"{count} {name}s" for name, count in figures["catalogue"].items()),
        "searches": f"{figures['searches']:,}",
        "searches_plain": str(figures["searches"]),
        "seed": str(figures["seed"]),
        "window": f"{figures['window']:,}",
        "settled": f"{figures['settled']:,}",
        "halfway": f"{drift['at']:,}" if drift else "—",
        "hit": f"“{drift['album']}” by {drift['artist']}" if drift else "a new album",
        "strategies": str(len(figures["groups"]["topical"]["chance"])),
        "rows": f"{memory['rows']:,}",
        "pairs": f"{memory['pairs']:,}",
        "queries": f"{memory['queries']:,}",
        "remembered": say.memory(figures),
    }
    made = {
        "style": style(),
        "verdict_class": verdict.tone,
        "cards": _cards(figures),
        "quality_chart": _quality(figures),
        "minus": "".join(_minus(figures, rival) for rival in RIVALS if rival in figures["minus"]),
        "over_time": _over_time(figures),
        "places": _places(figures),
        "chances": _chances(figures),
        "panels": LEGEND + f'<div class="panels">{"".join(_panel(figures, name) for name in figures["groups"]["topical"]["chance"])}</div>',
        "kinds": _by_kind(figures),
        "known": "".join(map(_known, memory["known"])),
        "exploration": _exploration(figures),
        "finds": _finds(figures["tried"]["examples"]),
        "curve": _curve(figures),
    }
    values = made | {f"say_{name}": text for name, text in sentences.items()} | {name: escape(text) for name, text in plain.items()}
    return Template(files("evaluation").joinpath("demo_report.html").read_text("utf-8")).substitute(values)


def _named(name: str) -> str:
    """The plain name of a strategy or contender, with the technical one below."""
    return f"{escape(named(name))}<small>{escape(name)}</small>" if named(name) != name else escape(name)


def _marks(figures: Figures) -> tuple[Mark, ...]:
    drift = figures["drift"]
    return (Mark(drift["window"], "drift"),) if drift and 0 < drift["window"] < len(figures["asked"]) else ()


def _line(name: str, values: Values) -> Line:
    """A line of a contender or a group of queries under its plain name."""
    return Line(named(name), COLOURS.get(name, "other"), values)


def _frames(figures: Figures, heights: tuple[int, int], *, panel: bool = False, **of: Any) -> dict[str, Frame]:
    """The wide and the narrow frame of one chart."""
    widths = (PANEL, NARROW_PANEL) if panel else (WIDE, NARROW)
    made = [
        Frame(width, height, per_point=figures["window"], marks=_marks(figures), **of)
        for width, height in zip(widths, heights, strict=True)
    ]
    return {"wide": made[0], "narrow": made[1]}


def _cards(figures: Figures) -> str:
    learned, clicks, asked = figures["quality"][LEARNED], figures["clicks"], figures["asked"]
    cards = [
        (f"{learned[0]:.2f} → {learned[-1]:.2f}", "page quality (nDCG@10), first and last"),
        (f"{100 * clicks[0]:.0f} → {100 * clicks[-1]:.0f}", "clicks per hundred searches"),
        (f"{asked[0]:.1f} → {asked[-1]:.1f}", f"methods asked per search, of {len(figures['groups']['topical']['chance'])}"),
        (f"{figures['memory']['pairs']:,}", "pairs of search and item remembered"),
    ]
    return "".join(f'<li class="card"><b>{escape(figure)}</b><span>{escape(what)}</span></li>' for figure, what in cards)


def _quality(figures: Figures) -> str:
    quality = figures["quality"]
    lines = [_line(name, quality[name]) for name in (ALONE, RRF, CONVEX, LEARNED) if name in quality]  # the last is on top
    told = "; ".join(f"{line.name}: {_ends(line.values)}" for line in lines)
    reach = max(value for line in lines for value in line.values if value is not None)
    return both_frames("Page quality over time", told, lines, **_frames(figures, (340, 280), top=0.8 if reach < 0.78 else 1.0))


def _minus(figures: Figures, rival: str) -> str:
    minus = figures["minus"][rival]
    reach = max(abs(value) for of in ("low", "high") for value in minus[of])
    top = next((top for top in (0.1, 0.2, 0.4) if reach <= top), 1.0)
    line = Line(f"Forage − {named(rival)}", "main", minus["mean"], minus["low"], minus["high"])
    told = f"From {signed(minus['mean'][0])} to {signed(minus['mean'][-1])}; above the zero line Forage is better."
    chart = both_frames(line.name, told, [line], **_frames(figures, (190, 180), panel=True, top=top, low=-top, labelled=False))
    return f'<div class="card"><h3>{escape(line.name)}</h3>{chart}</div>'


def _places(figures: Figures) -> str:
    out = []
    for name, title in (("album", "The new album, results a page"), ("ready_made", "Playlists, results a topical page")):
        one = figures["places"][name]
        lines = [Line("best page", "other dashed", one["best"]), _line(LEARNED, one["on"])]
        reach = max((value for line in lines for value in line.values if value is not None), default=1.0)
        top = next(top for top in (1.0, 2.0, 4.0, 6.0, 10.0) if reach <= top)
        told = "; ".join(f"{line.name}: {_ends(line.values)}" for line in lines)
        chart = both_frames(title, told, lines, **_frames(figures, (190, 180), panel=True, top=top))
        out.append(f'<div class="card"><h3>{escape(title)}</h3>{chart}</div>')
    return "".join(out)


def _ends(values: Values) -> str:
    known = [value for value in values if value is not None]
    return f"from {known[0]:.2f} to {known[-1]:.2f}" if known else "not known"


def _panel(figures: Figures, name: str) -> str:
    """One strategy: its chance on topical and on spearfishing queries over time."""
    lines = [_line(group, one["over_time"][name]) for group, one in figures["groups"].items()]
    told = "; ".join(
        f"{named(group)} from {percent(one['first'][name])} to {percent(one['chance'][name])}" for group, one in figures["groups"].items()
    )
    title = f"Chance of being asked: {named(name)}"
    chart = both_frames(title, told, lines, **_frames(figures, (140, 140), panel=True, top=1.0, percent=True, labelled=False))
    return f'<div class="card"><h3>{escape(named(name))} <small>{escape(name)}</small></h3>{chart}</div>'


def _chances(figures: Figures) -> str:
    """Strategies down, kinds of queries across, in their two groups."""
    kinds = figures["kinds"]
    groups = "".join(f'<th colspan="{len(some)}">{escape(named(group))}</th>' for group, some in GROUPS.items())
    head = "".join(f"<th>{escape(named(kind))}<small>{one['searches']:,} searches</small></th>" for kind, one in kinds.items())
    rows = []
    for name in figures["groups"]["topical"]["chance"]:
        cells = []
        for one in kinds.values():
            now = one["chance"][name]
            cells.append(f'<td class="tint {heat(now or 0.0)}">{percent(now)}<small>first {percent(one["first"].get(name))}</small></td>')
        rows.append(f"<tr><th>{_named(name)}</th>{''.join(cells)}</tr>")
    return f'<table class="tinted"><tr><th></th>{groups}</tr><tr><th>Method</th>{head}</tr>{"".join(rows)}</table>'


def _over_time(figures: Figures) -> str:
    quality, top3, window = figures["quality"], figures["top3"], figures["window"]
    shown = [name for name in (LEARNED, *RIVALS) if name in quality]
    head = ["Until search", *map(named, shown), "Top-3 clicks", *(f"of the {named(name).lower()}" for name in shown[1:]), "Asked"]
    rows = [
        [
            f"{(at + 1) * window:,}", *(fixed(quality[name][at], 3) for name in shown), *(f"{top3[name][at]:.0f}" for name in shown),
            f"{figures['asked'][at]:.1f}",
        ]
        for at in range(len(quality[LEARNED]))
    ]  # fmt: skip
    return _table(head, rows)


def _by_kind(figures: Figures) -> str:
    """Every contender on every kind of query, the worst kind first; down the contenders, so that it fits a narrow screen."""
    kinds, behind = figures["kinds"], say.behind(figures)
    order = sorted(behind, key=lambda kind: behind[kind])
    best = {kind: max(kinds[kind]["quality"].values()) for kind in order}
    head = "".join(f"<th>{escape(named(kind))}</th>" for kind in order)
    rows = [f"<tr><th>Forage − better mix</th>{''.join(f'<td>{signed(behind[kind], 2)}</td>' for kind in order)}</tr>"]
    for name in figures["quality"]:
        values = [(kinds[kind]["quality"][name], best[kind]) for kind in order]
        cells = "".join(f"<td{BEST if value == top else ''}>{fixed(value)}</td>" for value, top in values)
        rows.append(f"<tr><th>{_named(name)}</th>{cells}</tr>")
    return f'<table class="compact"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _known(one: Mapping[str, Any]) -> str:
    kind = in_full(one["kind"])
    title = f"<h3>“{escape(one['query'])}” <small>({escape(kind)}, searched {one['searches']:,} times)</small></h3>"
    if not one["pairs"]:
        return f'<div class="known">{title}<p>Nothing known yet: no item was chosen by two people.</p></div>'
    rows = "".join(
        f'<tr><td>{escape(pair["title"])}<span class="type">{escape(pair["type"])}, shown {pair["shown"]:,}, '
        f"clicked {pair['clicked']:,}</span></td><td>{small_line(pair['expected'], pair['now'], pair['true'])}</td>"
        f"<td>{pair['expected']:.2f}</td><td><b>{pair['now']:.2f}</b></td><td>{pair['true']:.2f}</td></tr>"
        for pair in one["pairs"]
    )
    head = "".join(f"<th>{name}</th>" for name in ("Best known", "0 … 1", "Expected", "Now", "True"))
    return f'<div class="known">{title}<table class="compact"><tr>{head}</tr>{rows}</table></div>'


def _exploration(figures: Figures) -> str:
    out = []
    charts = (
        ("Decisions against the odds", [Line("against the odds", "main", figures["against"])]),
        ("Tests on the page, share of results", [
            Line("moved", "down", figures["moved"]), Line("from outside", "up", figures["outside"]),
        ]),
        ("Clicks on what is known by trying", [Line("thanks to a try", "main", figures["thanks"])]),
    )  # fmt: skip
    for title, lines in charts:
        reach = max(value for line in lines for value in line.values if value is not None)
        top = next((top for top in (0.1, 0.2, 0.4) if reach <= top), 1.0)
        told = "; ".join(f"{line.name} from {percent(line.values[0])} to {percent(line.values[-1])}" for line in lines)
        frames = _frames(figures, (160, 150), panel=True, top=top, percent=True, labelled=len(lines) > 1)
        out.append(f'<div class="card"><h3>{escape(title)}</h3>{both_frames(title, told, lines, **frames)}</div>')
    return "".join(out)


def _finds(examples: Sequence[Mapping[str, Any]]) -> str:
    if not examples:
        return ""
    rows = [[one["query"], f"{one['title']} ({one['type']})", one["how"], f"{one['clicks']:,}"] for one in examples]
    return f'<div class="texts">{_table(["Search", "What was found", "How it came to the page", "Clicks"], rows)}</div>'


def _curve(figures: Figures) -> str:
    """The chance of being seen by place: the estimate with its 95 % interval, beside the start and the truth."""
    seen = figures["examination"]
    now = seen["now"] or {"curve": seen["start"], "se": [0.0] * len(seen["start"])}
    half = [NORMAL * error for error in now["se"]]
    low, high = ([value + sign * by for value, by in zip(now["curve"], half, strict=True)] for sign in (-1, 1))
    lines = [
        Line("Start", "other dashed", seen["start"]),
        Line("Truth", "down", seen["true"]),
        Line("Estimate", "main", now["curve"], low, high),
    ]  # fmt: skip
    places = [str(place) for place in range(1, len(now["curve"]) + 1)]
    wide, narrow = (Frame(width, height, 1.0, names=places) for width, height in ((640, 280), (NARROW, 240)))
    return both_frames("Who looks how far", say.curve(now["curve"], half, seen["true"]), lines, wide=wide, narrow=narrow)


def _table(head: Row, rows: Sequence[Row]) -> str:
    """A plain table of text; everything is escaped."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
