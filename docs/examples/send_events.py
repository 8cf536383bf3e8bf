"""JSON events from stdin, one a line, to Kafka: `python send_events.py HOST:PORT SPILL-FOLDER < events.jsonl`.

Needs `pip install forage`. The producer checks each event, never waits for the broker, and keeps what it does not take on disk.
"""

import json
import sys
from pathlib import Path

from streams.producer import EventProducer

bootstrap, spill = sys.argv[1:]
producer = EventProducer(bootstrap, spill=Path(spill))
accept = {
    "impression": producer.impression,
    "action": producer.action,
    "suggest_impression": producer.suggest_impression,
    "suggest_accept": producer.suggest_accept,
}
for line in sys.stdin:
    event = json.loads(line)
    if not accept[event["type"]](event):
        print("dropped: memory and disk are full", producer.counters(), file=sys.stderr)
producer.close(timeout=30.0)
sys.exit(0 if producer.counters().sent == producer.counters().accepted else 1)
