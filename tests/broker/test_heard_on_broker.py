"""Epochs of former owners, read from the topics of rows."""

from kafka import KafkaProducer

from streams.moving.heard import LAST, epochs


def test_the_highest_epoch_of_the_last_rows_by_partition(fresh_topics):
    bootstrap = fresh_topics(3)
    assert epochs(bootstrap, {0, 1, 2}) == {}
    producer = KafkaProducer(bootstrap_servers=bootstrap)

    def row(topic, partition, source):
        producer.send(topic, b"{}", b"row", partition=partition, headers=[("src", source)])

    row("memory.q2e", 0, b"0:7000:3")
    row("memory.q2e", 0, b"0:6000:9")  # a zombie's, after its successor's
    row("state.shares", 0, b"0:6500:1")
    row("state.shares", 1, b"1:9:1")
    row("memory.q2e", 1, b"no source")
    producer.send("memory.q2e", b"{}", b"row", partition=1)
    row("memory.q2e", 2, b"2:99:1")
    for _ in range(LAST):
        row("memory.q2e", 2, b"2:5:1")  # so many that the first is not looked at
    producer.close()
    assert epochs(bootstrap, {0, 1, 2}) == {0: 7000, 1: 9, 2: 5}
    assert epochs(bootstrap, {1}) == {1: 9}
