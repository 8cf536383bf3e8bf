"""What `forage evaluate experiment` says: figures of experiments as plain data, and the same as a page of text.

{
  "experiments": [{
    "trial": "split_rrf", "kind": "split" | "interleaved", "first": ms, "last": ms,
    "a": {"searches": 900, "acted": 0.38, "reward": 0.51, "empty": 0.01, "places": 0.0}, "b": {...}, "tied": 0,
    "difference": {"value": 0.04, "low": 0.01, "high": 0.07} | null,   (a minus b, reward a search; at one look)
    "acted": {...} | null, "always": {...} | null,                     (always: at any number of looks)
    "better": "" | "a" | "b", "lacking": {"what": "searches", "have": 120, "need": 200} | null,
    "kinds": {"2": {the same without kinds}, ...}
  }]
}
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from display.numbers import count, interval, percent, signed
from learners.trials.reading import Estimate, TrialResult

Figures = dict[str, Any]
NOTHING = "no experiment in these searches; begin one with `forage serve --trial interleave:rrf:0.2`"
_TOO_FEW = {"searches": "searches", "people": "people (by groups of them)", "choices": "searches with a choice"}


def experiment_figures(results: Sequence[tuple[TrialResult, Mapping[str, TrialResult]]]) -> Figures:
    """Plain data of experiments, each with its results by kind of query."""
    found = [_plain(whole) | {"kinds": {kind: _plain(one) for kind, one in kinds.items()}} for whole, kinds in results]
    return {"experiments": found}


def experiment_table(figures: Figures) -> str:
    """The figures as text for people."""
    return "\n".join([_told(one) for one in figures["experiments"]] or [NOTHING + "\n"])


def _plain(result: TrialResult) -> Figures:
    plain = asdict(result)
    for name in ("difference", "acted", "always", "lacking"):
        value = getattr(result, name)
        plain[name] = None if value is None else value._asdict()
    return plain


def _told(one: Figures) -> str:
    shared = one["kind"] == "interleaved"
    how = "both on one page" if shared else "people split"
    head = f"{one['trial']}: {how}, {_hour(one['first'])} to {_hour(one['last'])} UTC"
    chosen = "won" if shared else "with a choice"
    rows = [("", "searches", chosen, "reward a search", "picks a search" if shared else "without results")]
    for name, words in (("a", "a, what runs"), ("b", "b, what is tried")):
        side = one[name]
        last = f"{side['places']:.1f}" if shared else percent(side["empty"], 1)
        rows.append((words, count(side["searches"]), percent(side["acted"], 1), f"{side['reward']:.3f}", last))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  " + "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in rows]
    tied = [f"  {count(one['tied'])} searches preferred neither"] if shared else []
    return "\n".join([head, *table, *tied, *_verdict(one), *_kinds(one)]) + "\n"


def _verdict(one: Figures) -> list[str]:
    if (lacking := one["lacking"]) is not None:
        return [f"  too few to say: {count(lacking['have'])} of {count(lacking['need'])} {_TOO_FEW[lacking['what']]}"]
    say = {"a": "a is better: keep what runs", "b": "b is better: it can be put into use", "": "not decided yet"}[one["better"]]
    return [
        f"  a minus b, reward a search:  {_estimate(one['difference'])} at one look fixed before",
        f"                               {_estimate(one['always'])} however often one looks",
        f"  a minus b, {'share won' if one['kind'] == 'interleaved' else 'with a choice'}:  {_estimate(one['acted'])} at one look",
        f"  {say}",
    ]


def _kinds(one: Figures) -> list[str]:
    told = [
        f"    {kind or 'no kind':8} {_estimate(part['difference'])}, {count(part['a']['searches'])} searches"
        for kind, part in one["kinds"].items()
        if part["difference"] is not None
    ]
    return ["  by kind of query, reward a search at one look:", *told] if told else []


def _estimate(of: Mapping[str, float]) -> str:
    value = Estimate(**of)
    return f"{signed(value.value)} ({interval(value.low, value.high)})"


def _hour(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
