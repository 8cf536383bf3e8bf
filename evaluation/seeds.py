"""Several runs of one evaluation with different seeds, as one set of figures of the same form."""

from collections.abc import Mapping, Sequence
from typing import Any


def mean_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures (`evaluation.figures.summary`) whose every number under `contenders` is the mean over the runs.

    So are the ends of intervals: all runs judge the same searches, so that the interval of a mean is at most as wide as the mean
    interval. A share that a run does not name is 0 there; a figure that a run does not have stays None.
    """
    return {**runs[0], "contenders": _mean([run["contenders"] for run in runs])}


def _mean(values: Sequence[Any]) -> Any:
    if any(isinstance(value, Mapping) for value in values):
        names = list(dict.fromkeys(name for value in values for name in value or {}))
        return {name: _mean([(value or {}).get(name, 0) for value in values]) for name in names}
    return None if any(value is None for value in values) else sum(values) / len(values)
