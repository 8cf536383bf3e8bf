"""Errors of the examination curve on invented people, by searches: `python -m tests.learners.examination_errors` prints the table."""

import numpy as np

from learners.definition import THETA
from learners.examination import curve_of, start_of, tables_of
from tests.learners.page_views import BOTH, CURVES, OFF, PLACES, SWAPS, clicks_by_position, simulate

SIZES = (1_000, 5_000, 20_000)
SEEDS = (1, 2, 3)
WAYS = {
    "slot and swap": ("moved", {"spec": BOTH, "ranker": "ours"}),
    "swap alone": ("moved", {"spec": SWAPS, "ranker": "ours"}),
    "viewed alone": ("viewed", {"spec": OFF, "ranker": "ours", "viewed": True}),
    "pairs alone": ("pairs", {"spec": OFF, "noise": 0.7}),
}


def main() -> None:
    """Root mean square over places 2 to 10 and the seeds of log(estimate / truth); in brackets its ratio to the stated standard error."""
    start = start_of(THETA)
    print(f"{'':14}{'':14}" + "".join(f"{size:>16,}" for size in SIZES))
    for way, (source, how) in WAYS.items():
        for name, law in CURVES.items():
            truth, cells = law(PLACES), []
            runs = [simulate(clicks_by_position(truth), SIZES[-1], seed=seed, **how) for seed in SEEDS]
            for size in SIZES:
                fits = [curve_of({source: tables_of(finals[:size])[source]}, start) for finals in runs]
                off = np.array([np.log(curve[1:10] / truth[1:]) for curve, _ in fits])
                error = np.array([se[1:10] / curve[1:10] for curve, se in fits])
                cells.append(f"{np.sqrt((off**2).mean()):.2f} ({np.sqrt(((off / error) ** 2).mean()):.1f})")
            print(f"{way:14}{name:14}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
