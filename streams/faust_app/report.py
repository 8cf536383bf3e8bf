"""What a worker did lately, in one line, so that a person can see that it works and whether it keeps up."""

from collections import Counter

from streams.faust_app.status import Status

EVERY = 10.0  # s
SILENT = ("tick", "redelivered")  # time that passes, and what a rebalance reads again, are no news


def line(before: Status, now: Status) -> str:
    """What was counted between two looks; empty when nothing was and nothing waits."""
    done = Counter(now.counted) - Counter(before.counted)
    counted = [f"{count:,} {name}" for name, count in sorted(done.items()) if name not in SILENT]
    behind = sum(now.lag().values())
    if not counted and not behind:
        return ""
    return f"in {EVERY:.0f} s: {', '.join(counted) or 'nothing new'}; {behind:,} records behind, {now.unsent:,} messages to send"
