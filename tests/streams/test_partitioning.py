"""Our partition of a key is that of Kafka's own clients."""

import kafka.partitioner.default as kafka_python
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioning import murmur2, partition

# From Kafka's own UtilsTest.testMurmur2 (Java prints signed 32-bit ints).
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), JAVA.items())
def test_murmur2_gives_the_values_of_kafkas_java_tests(data, signed):
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=80))
def test_murmur2_equals_kafka_python(data):
    assert murmur2(data) == kafka_python.murmur2(data) % 2**32


@given(st.text(max_size=30), st.integers(1, 64))
def test_partition_is_the_positive_hash_modulo_the_count(key, n):
    hashed = kafka_python.murmur2(key.encode()) & 0x7FFFFFFF
    assert partition(key, n) == hashed % n


def test_partition_of_known_keys():
    # "21": -973932308 & 0x7fffffff = 1173551340; mod 8 = 4, mod 3 = 0 (digit sum 30).
    assert (partition("21", 8), partition("21", 3), partition("21", 1)) == (4, 0, 0)


def test_keys_spread_over_all_partitions():
    # 8,000 keys over 8: 1,000 each expected, sd about 30; 6 sd on either side.
    counts = [0] * 8
    for number in range(8_000):
        counts[partition(f"search-{number}", 8)] += 1
    assert all(800 < count < 1200 for count in counts)
