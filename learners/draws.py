"""Every draw of the system, by hash: anyone, in any language, can verify a decision from what is logged.

u = (first 8 bytes of sha256(purpose 0x1f salt 0x1f search_id 0x1f name), big-endian, >> 11) / 2^53, so 0 <= u < 1.
"""

from hashlib import sha256
from typing import Literal

Purpose = Literal["ask", "depth", "slot", "swap", "shadow", "sample", "bucket", "score", "team"]


def uniform(purpose: Purpose, salt: str, search_id: str, name: str) -> float:
    """A number in [0, 1) that is a function of its arguments; purposes and names are independent of each other.

    >>> uniform("ask", "forage", "s-1", "lexical")
    0.3013907947440382
    """
    text = f"{purpose}\x1f{salt}\x1f{search_id}\x1f{name}".encode("utf-8", "surrogatepass")
    return (int.from_bytes(sha256(text).digest()[:8], "big") >> 11) / 9007199254740992.0
