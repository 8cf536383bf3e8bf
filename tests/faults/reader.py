"""A consumer of snapshots as a process of its own, as a search process is one: `python reader.py BOOTSTRAP [SNAPSHOT]`.

It decides a search five times a second, and prints each time what it sees as a line of JSON. On its input it takes two orders:
`save MEMORY SEQ POLICIES` writes a snapshot of each kind, `rows FILE` writes all rows of the memory.
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.registry import Registry
from memory_index.q2e import Reading
from schemas.candidates import Request
from schemas.errors import ForageError
from streams.subscriber import MemorySubscriber, PolicySubscriber

EVERY = 0.2  # s
READING = Reading(theta=(1.0, 0.5, 0.5, 0.5, 0.5, 0.5), min_clients=1)


def definition(salt: str) -> Definition:
    return Definition(salt=salt, arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])


def seen(policies: PolicySubscriber, memory: MemorySubscriber, search: int) -> dict[str, Any]:
    policy, stale, behind = policies.current(), policies.staleness(), memory.staleness()
    asked = Request(search_id=str(search), ts=1, query="some words 7", query_key="some words 7")
    began = time.perf_counter()
    decision = policy.decide(asked, available=["lexical", "memory"], memory=memory.current())
    return {
        "at": time.time(), "seq": policy.seq, "salt": policy.definition.salt, "arms": len(decision.arms), "age": stale.age,
        "lag": stale.lag, "silent": stale.silent, "refused": stale.refused, "error": stale.last_error,
        "decide_ms": 1e3 * (time.perf_counter() - began),
        "rows": memory.current().rows(), "memory_lag": behind.lag, "memory_refused": behind.refused, "memory_error": behind.last_error,
        "caught_up": policies.wait(0.0) and memory.wait(0.0),
    }  # fmt: skip


def save(memory: MemorySubscriber, folder: str, seq: str, policies: str) -> list[str]:
    """Of a memory and of a policy snapshot, the refusal; "" when it was written."""
    out = []
    for write in (
        lambda: memory.save(Path(folder), seq=int(seq)),
        lambda: Registry(Path(policies)).publish(fit(definition(f"saved {seq}"), {}, 0), created=int(seq)),
    ):
        try:
            write()
            out.append("")
        except ForageError as error:
            out.append(str(error))
    return out


def rows(memory: MemorySubscriber, file: str) -> int:
    lines = [
        json.dumps([source, list(key), [int(one) for one in held[0]], sorted(held[1])]) for source, key, held in memory.current().shares()
    ]
    Path(file).write_text("\n".join(lines))
    return len(lines)


def main(bootstrap: str, snapshot: str = "") -> None:
    memory = MemorySubscriber(bootstrap, reading=READING, snapshot=Path(snapshot) if snapshot else None)
    policies = PolicySubscriber(bootstrap, start=definition("untrained"), memory=memory)
    search, waiting = 0, b""
    while True:
        search += 1
        print(json.dumps(seen(policies, memory, search)), flush=True)
        if select.select([0], [], [], EVERY)[0]:
            if not (more := os.read(0, 4096)):
                return
            *orders, waiting = (waiting + more).split(b"\n")
            for name, *words in (order.decode().split() for order in orders):
                print(json.dumps({"answer": save(memory, *words) if name == "save" else rows(memory, *words)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
