"""What a worker sends is packed fast: aiokafka's own level of lz4 is replaced. Fails when the private name that this needs moves."""

from aiokafka.codec import lz4_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from kafka.record import MemoryRecords

from streams.faust_app.sender import LZ4_LEVEL

LZ4 = 3


def test_a_batch_is_packed_at_our_level_and_kafka_python_reads_it():
    values = [
        b'{"shown":[%d,0,0,%d],"entity":"product-%06d"}' % (number % 7, number % 5, number * 7919 % 50_000) for number in range(2_000)
    ]
    batch = BatchBuilder(1_000_000, LZ4)
    for value in values:
        assert batch.append(key=b"k", value=value, timestamp=1, headers=[("src", b"0:1:2")]) is not None
    packed = bytes(batch._build())
    read = [bytes(record.value) for some in iter(MemoryRecords(packed).next_batch, None) for record in some]
    assert read == values
    plain = BatchBuilder(1_000_000, 0)
    for value in values:
        plain.append(key=b"k", value=value, timestamp=1, headers=[("src", b"0:1:2")])
    header = 61  # bytes of a batch before its records
    body = bytes(plain._build())[header:]
    assert len(packed) - header == len(lz4_encode(body, level=LZ4_LEVEL)) > 1.05 * len(lz4_encode(body))
