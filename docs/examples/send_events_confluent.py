"""JSON events from stdin, one a line, to Kafka with librdkafka: `python send_events_confluent.py HOST:PORT < events.jsonl`.

Needs `pip install confluent-kafka`. Further arguments are settings: `partitioner=murmur2_random`.
"""

import json
import sys

from confluent_kafka import KafkaException, Producer

settings = {
    "bootstrap.servers": sys.argv[1],
    "partitioner": "murmur2_random",  # librdkafka's default is another: the workers would send every record on
    "enable.idempotence": True,  # retries neither double nor reorder; acks=all comes with it
    "compression.type": "gzip",  # what the topics have: the broker need not pack again
    "linger.ms": 5,
    "delivery.timeout.ms": 120_000,
}
producer, failed = Producer(settings | dict(word.split("=", 1) for word in sys.argv[2:])), []


def delivered(error, message):
    if error is not None:  # for ever: keep the event, and send the same bytes again later
        failed.append(message.value())
        print(f"not sent: {error}", file=sys.stderr)


for line in sys.stdin.buffer:
    event = json.loads(line)
    shown = event["type"] in ("impression", "suggest_impression")
    topic = "search.impressions" if shown else "search.actions"
    key = event["search_id"] if "search_id" in event else event["suggest_id"]
    while True:
        try:
            producer.produce(topic, line.strip(), key.encode(), timestamp=event["ts"], on_delivery=delivered)
            break
        except BufferError:  # the local queue is full: let it go out
            producer.poll(0.1)
        except KafkaException as error:
            sys.exit(f"not sent: {error}")
    producer.poll(0)
producer.flush(130)
sys.exit(1 if failed or len(producer) else 0)
