"""The shop of own_engine.py with Forage inside its own process: `python own_engine_library.py KAFKA SPILL-FOLDER QUERY PERSON`.

Policy and memory come from Kafka and are kept current in the background; events go there. No call over the network while somebody waits.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from own_engine import STRATEGIES

from learners.definition import ArmSpec, Definition
from memory_index.q2e import Reading
from retrievers.base import ordered
from schemas.candidates import Request
from schemas.ids import query_class, query_key
from serving.pipeline import Pipeline
from serving.view import View
from streams.producer import EventProducer
from streams.subscriber import MemorySubscriber, PolicySubscriber


@dataclass
class Own:
    """A strategy of the engine, as Forage asks it."""

    name: str

    def retrieve(self, request, depth):
        return ordered(STRATEGIES[self.name](request.query, depth), depth)


kafka, spill, query, person = sys.argv[1:]
memories = MemorySubscriber(kafka, reading=Reading(min_clients=2))
policies = PolicySubscriber(kafka, start=Definition(arms=[ArmSpec.of(name) for name in STRATEGIES]), memory=memories)
producer = EventProducer(kafka, spill=Path(spill))
own = {name: Own(name) for name in STRATEGIES}
pipeline = Pipeline(
    lambda: View(policies.current(), memories.current(), own, {}),  # read once by each search
    lambda impression, ts: producer.impression(impression),  # microseconds; on disk while Kafka is away
    clock=time.perf_counter,
)

key, now = query_key(query), int(time.time() * 1000)
page = pipeline.search(Request(uuid4().hex, now, query, key, query_class(key), client_id=person)).impression
print(" ".join(result.entity_id for result in page.results))
if page.results:  # this person takes the first
    producer.action({"action_id": "1", "search_id": page.search_id, "ts": now + 1, "kind": "click", "entity_id": page.results[0].entity_id})
told = producer.close(timeout=10.0)
policies.close()
memories.close()
sys.exit(0 if told else 1)
