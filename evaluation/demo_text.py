"""What a demo run learned, as text for a terminal."""

from collections.abc import Mapping
from typing import Any

from evaluation.contenders import LEARNED, RRF
from evaluation.reports import grid

ROWS = 10  # of the table over time


def text(figures: Mapping[str, Any]) -> str:
    """Text of the dict that `demo_figures.summary` makes."""
    parts = [verdict(figures), _asked(figures), _over_time(figures), _by_kind(figures), _memory(figures["memory"])]
    return "\n\n".join(parts) + "\n"


def verdict(figures: Mapping[str, Any]) -> str:
    """One sentence: ahead of the fixed mix, behind it, or not to be told apart; then how far it came from where it began."""
    ahead, learned = figures["ahead"], figures["quality"][LEARNED]
    word = "AHEAD of" if ahead["low"] > 0 else "BEHIND" if ahead["high"] < 0 else "NOT YET AHEAD of"
    return (
        f"{word} the fixed mix: page quality {signed(ahead['mean'])} ({signed(ahead['low'])} to {signed(ahead['high'])}) "
        f"over the last {figures['settled']:,} searches. It went from {learned[0]:.2f} to {learned[-1]:.2f}."
    )


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _asked(figures: Mapping[str, Any]) -> str:
    kinds = figures["kinds"]
    strategies = list(next(iter(kinds.values()))["chance"])
    rows = [
        [
            kind,
            str(one["searches"]),
            *(f"{_percent(one['first'][name])} -> {_percent(one['chance'][name])}" for name in strategies),
        ]
        for kind, one in kinds.items()
    ]
    head = f"Which strategies are asked for which kind of query: chance in the first {figures['window']:,} searches -> in the last "
    return f"{head}{figures['settled']:,}\n{grid([['kind of query', 'searches', *strategies], *rows])}"


def _over_time(figures: Mapping[str, Any]) -> str:
    quality, top3, window = figures["quality"], figures["top3"], figures["window"]
    points = len(quality[LEARNED])
    chosen = sorted({round(at * (points - 1) / max(1, min(ROWS, points) - 1)) for at in range(min(ROWS, points))})
    head = ["searches", *quality, "top-3 clicks", "of the mix", "asked", "against odds"]
    rows = [
        [
            f"{at * window + 1:,}-{(at + 1) * window:,}", *(f"{one[at]:.3f}" for one in quality.values()), f"{top3[LEARNED][at]:.0f}",
            f"{top3[RRF][at]:.0f}", f"{figures['asked'][at]:.2f}", _percent(figures["explored"][at]),
        ]
        for at in chosen
    ]  # fmt: skip
    title = "Quality over time: nDCG@10 of the page, 1 is the best page there is; then clicks in the top 3 per hundred searches"
    return f"{title}\n{grid([head, *rows])}"


def _by_kind(figures: Mapping[str, Any]) -> str:
    rows = [
        [kind, *("-" if value is None else f"{value:.3f}" for value in one["quality"].values())] for kind, one in figures["kinds"].items()
    ]
    title = f"Quality by kind of query, last {figures['settled']:,} searches"
    return f"{title}\n{grid([['kind of query', *figures['quality']], *rows])}"


def _memory(memory: Mapping[str, Any]) -> str:
    lines = [f"Memory: {memory['rows']:,} rows, {memory['pairs']:,} pairs of a query and an entity, {memory['queries']:,} queries"]
    head = ["best known", "shown", "clicked", "expected", "now", "true"]
    for one in memory["known"]:
        rows = [
            [f"{pair['title']} ({pair['type']})", str(pair["shown"]), str(pair["clicked"]), *(f"{pair[of]:.2f}" for of in head[3:])]
            for pair in one["pairs"]
        ]
        lines += ["", f"'{one['query']}' ({one['kind']}, searched {one['searches']} times)"]
        lines.append(grid([head, *rows]) if rows else "nothing known yet: no entity was chosen by two people")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
