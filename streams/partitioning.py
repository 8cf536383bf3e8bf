"""Which partition a key belongs to, the same in every language: murmur2 of Kafka's Java client.

Source of the formula: org.apache.kafka.common.utils.Utils.murmur2, after MurmurHash2 by Austin Appleby.
"""

from struct import unpack_from

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit murmur2 of `data`, unsigned (Java shows the same bits as a signed int).

    >>> murmur2(b"21"), murmur2(b"foobar") - 2**32
    (3321033318, -790332482)
    """
    whole = len(data) & ~3
    h = (_SEED ^ len(data)) & _MASK
    for k in unpack_from(f"<{whole // 4}I", data):
        k = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if whole != len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition(key: str, n: int) -> int:
    """Partition of `key` among `n`: what Kafka's Java client, kafka-python and aiokafka choose for the UTF-8 bytes of the key."""
    return (murmur2(key.encode("utf-8", "surrogatepass")) & 0x7FFFFFFF) % n
