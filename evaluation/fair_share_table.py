"""Fair shares as a table for people and as plain data for programs."""

from dataclasses import asdict
from typing import Any

from learners.fair_share import FairShares


def table(shares: FairShares) -> str:
    """Strategies by fair share, with the share of finds that each other strategy had too; then those that were asked in the shadow."""
    names = [one.name for one in sorted(shares.strategies, key=lambda one: (-one.fair, one.name))]
    by_name = {one.name: one for one in shares.strategies}
    wide = max([len("strategy"), *map(len, names), *(len(one.name) for one in shares.shadow)])
    columns = [max(6, len(name)) for name in names]
    head = "  ".join(f"{name:>{size}}" for name, size in zip(names, columns, strict=True))
    lines = [f"{shares.searches:,} searches, {shares.reward:,.1f} reward; on the right: share of its finds that others had too", ""]
    lines += [f"{'strategy':{wide}}  {'asked':>7}  {'found':>9}  {'rewarded':>8}  {'alone':>7}  {'fair share':>10}  {head}".rstrip()]
    lines += ["-" * len(lines[-1])]
    for name in names:
        one = by_name[name]
        part = f"{one.fair / shares.reward:10.1%}" if shares.reward else f"{'-':>10}"
        shared = "  ".join(
            f"{'':>{size}}" if other == name else f"{one.overlap[other]:{size}.0%}" for other, size in zip(names, columns, strict=True)
        )
        lines.append(f"{name:{wide}}  {one.asked:7,}  {one.found:9,}  {one.rewarded:8,}  {one.sole:7,}  {part}  {shared}".rstrip())
    if shares.shadow:
        lines += ["", f"{'in the shadow':{wide}}  {'asked':>7}  {'found':>9}  {'known':>7}  {'rewarded':>8}  {'only there':>10}"]
        lines += ["-" * len(lines[-1])]
    for heard in shares.shadow:
        known = f"{heard.known / heard.found:7.1%}" if heard.found else f"{'-':>7}"
        lines.append(f"{heard.name:{wide}}  {heard.asked:7,}  {heard.found:9,}  {known}  {heard.rewarded:8,}  {heard.only:10,}")
    return "\n".join(lines) + "\n"


def plain(shares: FairShares) -> dict[str, Any]:
    """The same as JSON: rewards in those of one click, overlaps by name."""
    return asdict(shares)
