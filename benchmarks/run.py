"""`make bench`: what one decision costs, what one worker does beside a consumer that only decodes, and how soon a click is seen.

Prints a table; `--json` prints the figures. Run it alone: every part uses both cores.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import decide, freshness, throughput
from benchmarks.load import searches
from ops import broker

SEARCHES = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["decide", "throughput", "freshness"])
    parser.add_argument("--searches", type=int, default=SEARCHES)
    given = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    if given.only in (None, "decide"):
        figures["decide"] = decide.run()
    for name in ("throughput", "freshness"):
        if given.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            bootstrap = broker.start(Path(folder) / "kafka")
            try:
                if name == "throughput":
                    figures[name] = throughput.run(bootstrap, Path(folder), list(searches(given.searches)))
                else:
                    figures[name] = freshness.run(bootstrap, Path(folder))
            finally:
                broker.stop(Path(folder) / "kafka")
    if given.json:
        print(json.dumps(figures, indent=1))
    for part, values in figures.items() if not given.json else ():
        for figure, value in values.items():
            print(f"{part:<12}{figure:<40}{value:>12,.2f}")


if __name__ == "__main__":
    main()
