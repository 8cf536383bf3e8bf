"""The figures of a replay as text for a terminal: one table a checkpoint, best contender first."""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("contender", "hit@10", "95 %", "MRR@10", "95 %", "seen hit", "unseen hit", "hit - rrf", "asked", "ms")
NOTHING = "-"


def table(figures: Mapping[str, Any]) -> str:
    """Text of the dict that `figures.summary` makes."""
    settings = "".join(f"  {name} = {value}\n" for name, value in sorted(figures["settings"].items()))
    head = f"{figures['dataset']}, protocol {figures['protocol']}: {figures['searches']:,} searches, {figures['clicks']:,} clicks judged\n"
    contenders = figures["contenders"]
    points = list(next(iter(contenders.values())))
    parts = [f"{point.replace('_', ' ')}\n{grid([HEAD, *_rows(contenders, point)])}" for point in points]
    return head + settings + "\n" + "\n\n".join(parts) + "\n"


def _rows(contenders: Mapping[str, Any], point: str) -> list[Sequence[str]]:
    def best_first(name: str) -> tuple[float, str]:
        return -(contenders[name][point]["overall"]["hit@10"]["mean"] or 0.0), name

    return [_row(name, contenders[name][point]) for name in sorted(contenders, key=best_first)]


def _row(name: str, cell: Mapping[str, Any]) -> Sequence[str]:
    hit, mrr = cell["overall"]["hit@10"], cell["overall"]["mrr@10"]
    seen, unseen = cell["seen"]["hit@10"], cell["unseen"]["hit@10"]
    ahead = cell.get("minus_rrf", {}).get("hit@10")
    return (
        name, _number(hit["mean"]), _range(hit), _number(mrr["mean"]), _range(mrr), _number(seen["mean"]), _number(unseen["mean"]),
        _number(ahead["mean"], sign="+") if ahead else NOTHING, f"{cell['asked']:.2f}", f"{cell['ms']:.2f}",
    )  # fmt: skip


def _number(value: float | None, sign: str = "") -> str:
    return NOTHING if value is None else f"{value:{sign}.4f}"


def _range(figure: Mapping[str, float | None]) -> str:
    return NOTHING if figure["low"] is None else f"{_number(figure['low'])}..{_number(figure['high'])}"


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]) for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
