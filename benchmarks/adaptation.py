"""How soon a strategy that turned useless is dropped, and one that is new or turned good is adopted. Run: python -m benchmarks.adaptation

Known truth, default costs: in each search an arm that is good alone finds a clicked entity with probability 0.3 (then 0.1), one that
is useless never does. Everything changes after 1,000 searches, at 200 searches an hour; each of 20 runs begins 10 searches later in
its hour, so that the change comes anywhere in an hour. Dropped: the arm's mean probability over 50 searches is below 0.2; adopted: it is
above 0.8; both for good. The figure is the number of searches after the change.
"""

import random
from collections.abc import Sequence

import numpy as np

from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import Accumulator
from learners.policy import Policy
from learners.tallies import TallyBatch
from schemas.base import HOUR_MS
from schemas.candidates import Request
from schemas.ids import query_class, query_key

CHANGE, AFTER, AN_HOUR, RUNS = 1_000, 1_000, 200, 20
PUBLISH = 20  # searches between two publications
LAST = 50
START = 400_000 * HOUR_MS
QUERIES = ("halo", "halo 3", "mass effect", "need for speed", "call of duty 4 modern warfare", "fifa", "xbox 360 controller", "chess")
# arm -> (is it good before the change, and after); None: it is not there
TRUTH: dict[str, tuple[bool | None, bool]] = {
    "steady": (True, True), "turned_useless": (True, False), "new_good": (None, True), "turned_good": (False, True),
    "new_useless": (None, False), "useless": (False, False),
}  # fmt: skip


def run(seed: int, chance: float) -> dict[str, list[float]]:
    """The probability of asking each arm, search by search from the change on."""
    definition = Definition(arms=[ArmSpec.of(name, name) for name in TRUTH])
    sums, rng = Accumulator(definition), random.Random(seed)
    policy, waiting = Policy.untrained(definition), TallyBatch()
    asked: dict[str, list[float]] = {name: [] for name in TRUTH}
    for number in range(CHANGE + AFTER):
        ts = START + (seed * 10 + number) * HOUR_MS // AN_HOUR
        text, after = rng.choice(QUERIES), number >= CHANGE
        key = query_key(text)
        request = Request(f"{seed}-{number}", ts, text, key, query_class(key))
        available = [name for name, (before, _) in TRUTH.items() if after or before is not None]
        for arm in policy.decide(request, available=available).arms:
            good = rng.random() < chance and bool(TRUTH[arm.name][after])
            if after:
                asked[arm.name].append(arm.propensity)
            if arm.asked:
                waiting.asked(arm.name, ARM_FEATURES.hash, ts // HOUR_MS, arm.phi)
                waiting.drawn(arm.name, request.query_class, ts // HOUR_MS, arm.depth)
                if good:
                    waiting.credit(arm.name, ARM_FEATURES.hash, ts // HOUR_MS, arm.phi, 0, 256)
                    waiting.draw(arm.name, request.query_class, ts // HOUR_MS, 0, 2, 1)
        if number % PUBLISH == PUBLISH - 1:
            sums.add(waiting.take())
            policy = Policy(sums.content(), seq=number)
    return asked


def settled(p: Sequence[float], *, good: bool) -> int:
    """Searches after which the mean of the last 50 is beyond the bar for good; more than there were when it never is."""
    mean = np.convolve(p, np.full(LAST, 1 / LAST), mode="valid")
    wrong = np.flatnonzero(mean <= 0.8 if good else mean >= 0.2)
    return LAST + (int(wrong[-1]) + 1 if len(wrong) else 0)


def main() -> None:
    print(f"{'credit':>6}  {'arm':14}  {'is':8}  {'median':>6}  {'worst':>6}  searches after the change, {RUNS} runs")
    for chance in (0.3, 0.1):
        runs = [run(seed, chance) for seed in range(RUNS)]
        for name, (_, good) in TRUTH.items():
            counts = sorted(settled(one[name], good=good) for one in runs)
            worst = f"{counts[-1]}" if counts[-1] <= AFTER else f"> {AFTER}"
            print(f"{chance:6}  {name:14}  {'adopted' if good else 'dropped':8}  {counts[RUNS // 2]:6}  {worst:>6}")


if __name__ == "__main__":
    main()
