"""The table at the end of the fault runs."""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("scenario", "result", "records", "lag 0 s", "pause s", "stops s", "repeats", "late", "what was done")


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """`lag 0`: seconds from the last acknowledged send until everything was applied. `pause`: the longest time in which nothing was.
    `stops`: of SIGTERMs. `repeats`: messages that came again and were dropped by id. `late`: rows of a former owner, dropped."""
    rows = [HEAD, *(_row(one) for one in results)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    wrong = [f"{one['scenario']}: {line}" for one in results for line in one["wrong"]]
    notes = [f"{one['scenario']}: {name} {value}" for one in results for name, value in one.get("notes", {}).items()]
    states = {one["state"] for one in results if one["scenario"] != "poison"}
    right = sum(one["ok"] for one in results)
    return "\n".join(
        [*lines, "", *notes, *wrong, f"{right} of {len(results)} as they must be, {len(states)} digest(s): {', '.join(sorted(states))}"]
    )


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    stops = one["stops_s"]
    return (
        one["scenario"], "ok" if one["ok"] else "WRONG", str(one["records"]), str(one["lag_zero_s"]), str(one["longest_pause_s"]),
        f"{min(stops)}-{max(stops)}" if stops else "", str(one["repeats"]), str(one["late"]), one["how"],
    )  # fmt: skip
