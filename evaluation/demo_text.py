"""What a demo run learned, as text for a terminal."""

from collections.abc import Mapping
from typing import Any

from display.numbers import fixed, percent
from display.words import named
from evaluation import demo_sentences as say
from evaluation.contenders import LEARNED, RIVALS
from evaluation.reports import grid

WIDTH = 80  # columns of the sentences; the tables are as narrow


def text(figures: Mapping[str, Any]) -> str:
    """Text of the dict that `demo_figures.summary` makes."""
    verdict = say.verdict(figures)
    parts = [
        _folded(f"{verdict.word}: {verdict.sentence}"),
        _folded(say.quality(figures)),
        _folded(f"{say.drifted(figures)} {say.album(figures)} {say.ready_made(figures)}"),
        f"{_folded(f'{say.asked(figures)} {say.moved(figures)}')}\n\n{_asked(figures)}",
        f"{_folded(say.by_kind(figures))}\n\n{_by_kind(figures)}",
        f"{_folded(say.tried(figures))}\n{_folded(say.exploring(figures))}",
        _memory(figures),
    ]
    return "\n\n".join(parts) + "\n"


def _folded(sentence: str) -> str:
    """Lines of at most WIDTH columns, broken at blanks."""
    out = [""]
    for word in sentence.strip().split(" "):  # not at the narrow blank of a percentage
        if out[-1] and len(out[-1]) + 1 + len(word) > WIDTH:
            out.append("")
        out[-1] += f" {word}" if out[-1] else word
    return "\n".join(out)


def _asked(figures: Mapping[str, Any]) -> str:
    kinds = figures["kinds"]
    rows = [[named(name), *(percent(one["chance"][name]) for one in kinds.values())] for name in figures["groups"]["topical"]["chance"]]
    head = f"Chance of being asked, last {figures['settled']:,} searches: three topical kinds of search, then three spearfishing"
    return f"{_folded(head)}\n{grid([['method', *map(named, kinds)], *rows])}"


def _by_kind(figures: Mapping[str, Any]) -> str:
    kinds = figures["kinds"]
    rows = [
        [named(name), *(fixed(one["quality"][name], 3) for one in kinds.values())]
        for name in dict.fromkeys((LEARNED, *RIVALS, *figures["quality"]))
        if name in figures["quality"]
    ]
    head = f"Page quality (nDCG@10; 1 is the best page there is), last {figures['settled']:,} searches"
    return f"{head}\n{grid([['contender', *map(named, kinds)], *rows])}"


def _memory(figures: Mapping[str, Any]) -> str:
    memory = figures["memory"]
    lines = [
        f"Memory: {memory['rows']:,} rows, {memory['pairs']:,} pairs of a search and an item, {memory['queries']:,} searches",
        _folded(say.memory(figures)),
    ]
    head = ["best known", "shown", "clicked", "expected", "now", "true"]
    for one in memory["known"]:
        rows = [
            [f"{pair['title']} ({pair['type']})", str(pair["shown"]), str(pair["clicked"]), *(f"{pair[of]:.2f}" for of in head[3:])]
            for pair in one["pairs"]
        ]
        lines += ["", f"'{one['query']}' ({one['kind']}, searched {one['searches']} times)"]
        lines.append(grid([head, *rows]) if rows else "nothing known yet: no item was chosen by two people")
    return "\n".join(lines)
