"""The table at the end of the fault runs."""

from collections.abc import Mapping, Sequence
from typing import Any

FAULTS = range(1, 35)  # of the list in docs/figures.md
HEAD = ("scenario", "faults", "result", "records", "lost", "digest", "lag 0 s", "pause s", "stops s", "repeats", "late", "how it was made")


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """`lost`: acknowledged records and messages that are nowhere. `digest`: whether the state is that of the undisturbed embedded run.
    `lag 0`: seconds from the last acknowledged send until everything was applied. `pause`: the longest time in which nothing was.
    `stops`: of SIGTERMs. `repeats`: messages that came again and were dropped by id. `late`: rows of a former owner, dropped."""
    rows = [HEAD, *(_row(one) for one in results)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    wrong = [f"{one['scenario']}: {line}" for one in results for line in one["wrong"]]
    notes = [f"{one['scenario']}: {name} {value}" for one in results for name, value in one.get("notes", {}).items()]
    states = {one["state"] for one in results if one["state"] and not one["own_log"]}
    right = [one for one in results if one["ok"]]
    covered = sorted({number for one in right for number in one["numbers"]})
    missing = [number for number in FAULTS if number not in covered]
    return "\n".join([
        *lines, "", *notes, *wrong,
        f"faults survived: {_ranges(covered)}" + (f"; not shown here: {_ranges(missing)}" if missing else ""),
        f"{len(right)} of {len(results)} as they must be; of one LOG {len(states)} digest(s): {', '.join(sorted(states))}",
    ])  # fmt: skip


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    stops = one["stops_s"]
    return (
        one["scenario"], _ranges(one["numbers"]), "ok" if one["ok"] else "WRONG", str(one["records"]), str(one["lost"]),
        "equal" if one["digest_equal"] else "DIFFERS", str(one["lag_zero_s"]), str(one["longest_pause_s"]),
        f"{min(stops)}-{max(stops)}" if stops else "", str(one["repeats"]), str(one["late"]), one["how"],
    )  # fmt: skip


def _ranges(numbers: Sequence[int]) -> str:
    """1-3, 5 for 1, 2, 3, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"
