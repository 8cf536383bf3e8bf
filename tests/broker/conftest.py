"""One real broker for the whole session, and fresh topics for each test that asks for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from typer.testing import CliRunner

from ops import broker
from ops.cli import app
from schemas.topics import Time
from streams import admin


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("broker")


@dataclass(frozen=True)
class Node:
    """The node under test: its address stays the same over stop, kill and start."""

    bootstrap: str
    folder: Path

    def start(self) -> None:
        assert broker.start(self.folder) == self.bootstrap

    def stop(self) -> None:
        broker.stop(self.folder)

    def kill(self) -> None:
        broker.kill(self.folder)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Where a broker cannot run the tests fail with what to install: they are not skipped."""
    folder = tmp_path_factory.mktemp("kafka")
    yield Node(broker.start(folder), folder)
    broker.kill(folder)


@pytest.fixture
def bootstrap(node: Node) -> str:
    """host:port of the running broker; a test before may have stopped it."""
    node.start()
    return node.bootstrap


@pytest.fixture
def fresh_topics(bootstrap: str) -> Callable[..., str]:
    """Call it to get empty topics: fresh_topics(4) or fresh_topics(4, time="CreateTime"); returns host:port."""

    def fresh(partitions: int = 2, *, time: Time = "LogAppendTime") -> str:
        admin.delete_topics(bootstrap)
        admin.create_topics(bootstrap, partitions, time=time)
        return bootstrap

    return fresh


@pytest.fixture
def read_all(bootstrap: str) -> Callable[..., list[ConsumerRecord]]:
    """read_all(topic): every record there is now, partition by partition."""

    def read(topic: str) -> list[ConsumerRecord]:
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=50)
        parts = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, found = consumer.end_offsets(parts), []
        while any(consumer.position(part) < ends[part] for part in parts):
            found += [record for some in consumer.poll(timeout_ms=200).values() for record in some]
        consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    return read


@pytest.fixture
def forage(bootstrap: str, tmp_path: Path) -> Callable[..., Result]:
    """forage(*words): the command, with data in `tmp_path`/var; `input` is its stdin."""

    def run(*words: object, input: str | bytes | None = None) -> Result:  # noqa: A002
        settings = {"FORAGE_BOOTSTRAP": bootstrap, "FORAGE_DATA_DIR": str(tmp_path / "var")}
        return CliRunner().invoke(app, [str(word) for word in words], input=input, env=settings)

    return run
