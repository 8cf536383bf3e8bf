"""`make faults`: a LOG streams into a real broker while its workers, its broker, its disks and its messages are broken in every known way.

Every time the same must come out as from the embedded run of the LOG: one digest, each id once, the same rows. Exit code 1 if not.
"""

import argparse
import json
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import broker_faults
import data_faults
import group_faults
import log_faults
import nodes
import process_faults
import reader_faults
import storage_faults
from compare import Expected
from load import searches
from scenarios import Scenario, broken, play
from table import table

from ops import broker
from schemas.errors import ForageError
from streams.kernel.join import RULES
from streams.replaying.recording import Line, read_log
from streams.replaying.replay import Placed, placed

PARTITIONS = 8
SEARCHES = 4_000
LONGEST = 420  # s that a scenario may take, on a slow machine too
MOST = 2_500  # records a second: a long LOG gets more time
KINDS = (process_faults, broker_faults, log_faults, group_faults, data_faults, storage_faults, reader_faults)
SCENARIOS: tuple[Scenario, ...] = tuple(one for kind in KINDS for one in kind.SCENARIOS)
Prepared = tuple[list[Placed], Expected]


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that workers and broker are ended too
    signal.signal(signal.SIGALRM, _too_long)
    given = _arguments()
    if given.list:
        print(*(f"{one.name}  {one.numbers}  {one.how}" for one in SCENARIOS), sep="\n")
        return 0
    out: Path = given.out
    if out.exists() and not given.resume:
        broker.kill(out / "kafka")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    done = _results(out) if given.resume else {}
    wanted = [one for one in SCENARIOS if not given.only or one.name in given.only]
    lines = list(read_log(given.log)) if given.log else searches(given.searches)
    loads: dict[object, Prepared] = {}
    bootstrap = nodes.start(out / "kafka")
    try:
        for number, scenario in enumerate(wanted, start=1):
            if scenario.name in done:
                continue
            kind = scenario.lines, scenario.partitions or PARTITIONS
            if kind not in loads:
                loads[kind] = _prepared(scenario.lines(lines) if scenario.lines else lines, kind[1])
            print(f"[{number}/{len(wanted)}] {scenario.name}: {scenario.how} ...", flush=True)
            began = time.monotonic()
            done[scenario.name] = result = _play(scenario, *loads[kind], bootstrap=bootstrap, out=out)
            print(f"    {'ok' if result['ok'] else 'WRONG'}, {time.monotonic() - began:.0f} s", *result["wrong"], sep="\n    ", flush=True)
    finally:
        broker.kill(out / "kafka")
    results = [done[one.name] for one in wanted if one.name in done]
    print("\n" + table(results))
    return 0 if all(one["ok"] for one in results) else 1


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not over after {LONGEST} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="a LOG of `forage evaluate loop --record`; default: one is made")
    parser.add_argument("--searches", type=int, default=SEARCHES, help="of the LOG that is made")
    parser.add_argument("--only", action="append", choices=[one.name for one in SCENARIOS], help="this scenario; may be repeated")
    parser.add_argument("--out", type=Path, default=Path("var/faults"), help="folder for results, logs and states")
    parser.add_argument("--resume", action="store_true", help="go on: scenarios of the folder that went well are not run again")
    parser.add_argument("--list", action="store_true", help="say which scenarios there are, and end")
    return parser.parse_args()


def _prepared(lines: Sequence[Line], partitions: int) -> Prepared:
    return list(placed(lines, partitions, rules=RULES)), Expected.of(lines, partitions)


def _play(scenario: Scenario, records: list[Placed], expected: Expected, *, bootstrap: str, out: Path) -> dict[str, Any]:
    folder = out / scenario.name
    shutil.rmtree(folder, ignore_errors=True)
    broker.start(out / "kafka")  # a scenario that failed may have left it stopped
    slower = max(1.0, len(records) / MOST / scenario.seconds)
    signal.alarm(LONGEST)
    try:
        result = play(
            scenario, records, expected, node=out / "kafka", bootstrap=bootstrap, folder=folder,
            partitions=scenario.partitions or PARTITIONS, slower=slower,
        )  # fmt: skip
    except Exception as error:  # the other scenarios are still worth running
        traceback.print_exc()
        result = broken(scenario, f"the run broke off: {error!r}")
    finally:
        signal.alarm(0)
    with (out / "results.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")
    for disk in [*folder.glob("disk*"), *folder.glob("state")] if result["ok"] else ():  # logs stay
        shutil.rmtree(disk)
    return result


def _results(out: Path) -> dict[str, dict[str, Any]]:
    path = out / "results.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {one["scenario"]: one for one in found if one["ok"]}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ForageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("ended; --resume goes on from here")
