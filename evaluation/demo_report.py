"""What a demo run learned, as one page that needs nothing else: no network, no script; light and dark; from 360 px on."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from evaluation.charts import Frame, Line, both_widths
from evaluation.contenders import LEARNED, RRF
from evaluation.demo_text import signed

NAMES = {LEARNED: "Forage", RRF: "Fixed mix", "lexical": "Word match", "memory": "Chosen before", "popular": "Most chosen"}
KIND_NAMES = {"title": "A title", "artist": "An artist", "mood": "A mood", "mistake": "With a slip"}
TINTS = (0.2, 0.4, 0.6, 0.8)  # from which chance on a cell takes its next tint

Row = Sequence[str]


def page(figures: Mapping[str, Any]) -> str:
    """HTML of the dict that `demo_figures.summary` makes. Everything that comes from it is escaped."""
    memory, kinds, explored = figures["memory"], figures["kinds"], figures["explored"]
    catalogue = ", ".join(f"{count} {name}s" for name, count in figures["catalogue"].items())
    word, tone, sentence = _verdict(figures)
    strategies = list(next(iter(kinds.values()))["chance"])
    values = {
        "verdict_word": word,
        "verdict_class": tone,
        "verdict": sentence,
        "people": str(figures["people"]),
        "entities": str(sum(figures["catalogue"].values())),
        "catalogue": escape(catalogue),
        "searches": f"{figures['searches']:,}",
        "searches_plain": str(figures["searches"]),
        "seed": str(figures["seed"]),
        "window": f"{figures['window']:,}",
        "settled": f"{figures['settled']:,}",
        "cards": _cards(figures),
        "quality": _quality(figures),
        "over_time": _over_time(figures),
        "chances": _chances(kinds, strategies),
        "legend": "".join(f'<li class="{escape(name)}"><i></i>{_named(name)}</li>' for name in strategies),
        "panels": "".join(_panel(kind, one, figures["window"]) for kind, one in kinds.items()),
        "by_kind": _by_kind(kinds),
        "rows": f"{memory['rows']:,}",
        "pairs": f"{memory['pairs']:,}",
        "queries": f"{memory['queries']:,}",
        "known": "".join(map(_known, memory["known"])),
        "explored_first": _percent(explored[0]),
        "explored_last": _percent(explored[-1]),
        "explored": _explored(figures),
    }
    return Template(files("evaluation").joinpath("demo_report.html").read_text("utf-8")).substitute(values)


def _named(name: str) -> str:
    """The plain name of a strategy or contender, with the technical one."""
    return f"{escape(NAMES.get(name, name))} ({escape(name)})" if name in NAMES else escape(name)


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _quality_of(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def _verdict(figures: Mapping[str, Any]) -> tuple[str, str, str]:
    ahead, learned, settled = figures["ahead"], figures["quality"][LEARNED], figures["settled"]
    between = f"{signed(ahead['mean'])} (between {signed(ahead['low'])} and {signed(ahead['high'])}, last {settled:,} searches)"
    came = f"Its page quality went from {learned[0]:.2f} to {learned[-1]:.2f}."
    if ahead["low"] > 0:
        return "AHEAD", "ahead", f"Forage's pages are better than a fixed mix of all strategies: {between}. {came}"
    if ahead["high"] < 0:
        return "BEHIND", "behind", f"Forage's pages are not as good as a fixed mix of all strategies: {between}. {came}"
    return "NOT YET", "not-yet", f"Forage's pages and a fixed mix of all strategies cannot be told apart: {between}. {came}"


def _cards(figures: Mapping[str, Any]) -> str:
    learned, top3, asked = figures["quality"][LEARNED], figures["top3"][LEARNED], figures["asked"]
    cards = [
        (f"{learned[0]:.2f} → {learned[-1]:.2f}", "page quality (nDCG@10), first and last"),
        (f"{top3[0]:.0f} → {top3[-1]:.0f}", "clicks in the top 3 per hundred searches"),
        (f"{asked[0]:.1f} → {asked[-1]:.1f}", "strategies asked per search; the fixed mix asks 3"),
        (f"{figures['memory']['pairs']:,}", "pairs of query and entity remembered"),
    ]
    return "".join(f'<li class="card"><b>{escape(figure)}</b><span>{escape(what)}</span></li>' for figure, what in cards)


def _quality(figures: Mapping[str, Any]) -> str:
    quality = figures["quality"]
    order = [*(name for name in quality if name not in (LEARNED, RRF)), RRF, LEARNED]  # what matters is drawn last, on top
    lines = [Line(NAMES.get(name, name), name, quality[name]) for name in order if name in quality]
    wide, narrow = (Frame(width, height, 1.0, figures["window"]) for width, height in ((920, 340), (334, 280)))
    told = "; ".join(f"{line.name} from {line.values[0]:.2f} to {line.values[-1]:.2f}" for line in lines)
    return both_widths("Page quality over time", told, lines, wide=wide, narrow=narrow)


def _explored(figures: Mapping[str, Any]) -> str:
    values, window = figures["explored"], figures["window"]
    top = next(top for top in (0.2, 0.4, 1.0) if max(values) <= top)
    wide, narrow = (Frame(width, 140, top, window, percent=True, labelled=False) for width in (920, 334))
    told = f"Decisions against the odds, from {_percent(values[0])} to {_percent(values[-1])}"
    return both_widths("Share of decisions against the odds", told, [Line("Against the odds", LEARNED, values)], wide=wide, narrow=narrow)


def _panel(kind: str, one: Mapping[str, Any], window: int) -> str:
    lines = [Line(NAMES.get(name, name), name, values) for name, values in one["over_time"].items()]
    wide, narrow = (Frame(width, 150, 1.0, window, percent=True, labelled=False) for width in (440, 306))
    told = "; ".join(f"{line.name} from {_percent(one['first'][line.style])} to {_percent(one['chance'][line.style])}" for line in lines)
    title = KIND_NAMES.get(kind, kind)
    chart = both_widths(f"Chance of being asked: {title}", told, lines, wide=wide, narrow=narrow)
    return f'<div class="card"><h3>{escape(title)}</h3>{chart}</div>'


def _chances(kinds: Mapping[str, Any], strategies: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(NAMES.get(name, name))}<small>{escape(name)}</small></th>" for name in strategies)
    rows = []
    for kind, one in kinds.items():
        cells = []
        for name in strategies:
            now, first = one["chance"][name], one["first"][name]
            tint = sum((now or 0.0) >= edge for edge in TINTS)
            cells.append(f'<td class="tint t{tint}">{_percent(now)}<small>first {_percent(first)}</small></td>')
        rows.append(f"<tr><th>{escape(KIND_NAMES.get(kind, kind))}</th>{''.join(cells)}<td>{one['searches']:,}</td></tr>")
    return f'<table class="tinted"><tr><th>Kind of query</th>{head}<th>Searches</th></tr>{"".join(rows)}</table>'


def _over_time(figures: Mapping[str, Any]) -> str:
    quality, top3, window = figures["quality"], figures["top3"], figures["window"]
    head = ["Until search", *(NAMES.get(name, name) for name in quality), "Top-3 clicks, Forage", "Top-3 clicks, mix"]
    rows = [
        [
            f"{(at + 1) * window:,}",
            *(_quality_of(one[at]) for one in quality.values()),
            f"{top3[LEARNED][at]:.0f}",
            f"{top3[RRF][at]:.0f}",
        ]
        for at in range(len(quality[LEARNED]))
    ]
    return _table(head, rows)


def _by_kind(kinds: Mapping[str, Any]) -> str:
    def behind(kind: str) -> float:
        quality = kinds[kind]["quality"]
        return 0.0 if quality[LEARNED] is None else quality[LEARNED] - quality[RRF]

    names = list(next(iter(kinds.values()))["quality"])
    head = "".join(f"<th>{escape(NAMES.get(name, name))}<small>{escape(name)}</small></th>" for name in names)
    rows = []
    for kind in sorted(kinds, key=behind):
        quality = kinds[kind]["quality"]
        best = max((value for value in quality.values() if value is not None), default=None)
        best_mark = ' class="best"' if best is not None else ""
        cells = "".join(f"<td{best_mark if quality[name] == best else ''}>{_quality_of(quality[name])}</td>" for name in names)
        rows.append(f"<tr><th>{escape(KIND_NAMES.get(kind, kind))}</th><td>{signed(behind(kind))}</td>{cells}</tr>")
    return f'<table class="compact"><tr><th>Kind of query</th><th>Forage − mix</th>{head}</tr>{"".join(rows)}</table>'


def _known(one: Mapping[str, Any]) -> str:
    kind = KIND_NAMES.get(one["kind"], one["kind"]).lower()
    title = f"<h3>“{escape(one['query'])}” <small>({escape(kind)}, searched {one['searches']:,} times)</small></h3>"
    if not one["pairs"]:
        return f'<div class="known">{title}<p>Nothing known yet: no entity was chosen by two people.</p></div>'
    rows = "".join(
        f'<tr><td>{escape(pair["title"])}<span class="type">{escape(pair["type"])}</span></td><td>{pair["shown"]:,}</td>'
        f"<td>{pair['clicked']:,}</td><td>{pair['expected']:.2f}</td><td><b>{pair['now']:.2f}</b></td><td>{pair['true']:.2f}</td></tr>"
        for pair in one["pairs"]
    )
    head = "".join(f"<th>{name}</th>" for name in ("Best known", "Shown", "Clicked", "Expected", "Now", "True"))
    return f'<div class="known">{title}<div class="scroll"><table class="compact"><tr>{head}</tr>{rows}</table></div></div>'


def _table(head: Row, rows: Sequence[Row]) -> str:
    """A plain table of text; everything is escaped."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
