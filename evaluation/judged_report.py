"""The figures of the closed loop on judged queries as text for a terminal: one table a checkpoint, best contender first."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.judged_figures import STRATA
from evaluation.reports import NOTHING, grid

HEAD = (
    "contender", "seen nDCG", "% convex", "95 %", "unseen nDCG", "% convex", "95 %",
    "MRR", "hit", "recall", "asked", "regret", "ms",
)  # fmt: skip


def judged_table(figures: Mapping[str, Any]) -> str:
    """Text of the dict that `judged_summary` makes. MRR, hit and recall are those of seen queries."""
    settings = "".join(f"  {name} = {value}\n" for name, value in sorted(figures["settings"].items()))
    head = f"{figures['dataset']}, {figures['queries']} judged queries, protocol {figures['protocol']}: {figures['searches']:,} searches\n"
    contenders = figures["contenders"]
    points = list(next(iter(contenders.values())))
    parts = [f"after {int(point):,} searches\n{grid([HEAD, *_rows(contenders, point)])}" for point in points]
    return head + settings + "\n" + "\n\n".join(parts) + "\n\n" + _break_even(figures["break_even"])


def _rows(contenders: Mapping[str, Any], point: str) -> list[Sequence[str]]:
    def best_first(name: str) -> tuple[float, str]:
        return -(contenders[name][point]["seen"]["ndcg@10"]["mean"] or 0.0), name

    return [_row(name, contenders[name][point]) for name in sorted(contenders, key=best_first)]


def _row(name: str, cell: Mapping[str, Any]) -> Sequence[str]:
    ndcg: list[str] = []
    for stratum in STRATA:
        percent = cell["minus_convex"][stratum]["percent"]
        ndcg += [_number(cell[stratum]["ndcg@10"]["mean"]), _number(percent["mean"], "+.1f"), _range(percent)]
    others = [_number(cell["seen"][metric]["mean"], ".3f") for metric in ("mrr@10", "hit@10", "recall@100")]
    return name, *ndcg, *others, f"{cell['asked']:.2f}", f"{cell['regret']:+.1f}", f"{cell['ms']:.2f}"


def _break_even(found: Mapping[str, Any]) -> str:
    rows = [
        (name, _whole(one["median"]), _whole(one["worst"]), f"{sum(run is not None for run in one['runs'])} of {len(one['runs'])}")
        for name, one in found.items()
    ]
    return "ahead of convex, in summed nDCG@10, from search\n" + grid([("contender", "median", "worst", "runs"), *rows]) + "\n"


def _whole(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f}"


def _number(value: float | None, form: str = ".4f") -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _range(figure: Mapping[str, float | None]) -> str:
    return NOTHING if figure["low"] is None else f"{_number(figure['low'], '+.1f')}..{_number(figure['high'], '+.1f')}"
