"""decide: features, draw and log record for ten arms, p50 and p99."""

import time

import numpy as np

from benchmarks.load import STRATEGIES
from learners.definition import ArmSpec, Definition
from learners.policy import Policy
from schemas.candidates import Request
from schemas.ids import query_class


def run(count: int = 20_000) -> dict[str, float]:
    """Microseconds of one decision of an untrained policy with ten arms, without memory."""
    policy = Policy.untrained(Definition(arms=[ArmSpec.of(name) for name in STRATEGIES]))
    took = np.empty(count)
    for number in range(count):
        text = f"some query {number % 100}"
        request = Request(f"search {number}", 0, text, text, query_class(text))
        start = time.perf_counter_ns()
        policy.decide(request, available=STRATEGIES)
        took[number] = time.perf_counter_ns() - start
    return {"p50_us": float(np.percentile(took, 50) / 1e3), "p99_us": float(np.percentile(took, 99) / 1e3)}
