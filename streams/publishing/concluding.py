"""Conclusions out of bytes: a final that nobody wants is not decoded, it is most of the work."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from schemas.codec import decode_conclusion
from schemas.outcomes import Amendment, Outcome
from schemas.topics import OUTCOMES
from streams.kernel.changes import Outgoing

Wants = Callable[[str, int], bool]  # final id, time in ms
# How a final of ours begins. In JSON a string holds no bare quote, so what is matched is what stands there.
_FINAL = re.compile(rb'\{"schema_version":1,"type":"final","final_id":"([^"\\]+)","search_id":"(?:[^"\\]|\\.)*","time":(\d{1,15}),')


def conclusion_of(value: bytes | None, wants: Wants) -> Outcome | Amendment | None:
    """The final or amendment of a message; None for a final that is not wanted. Raises InvalidMessage."""
    begins = _FINAL.match(value or b"")
    if begins is not None and not wants(begins[1].decode(errors="replace"), int(begins[2])):
        return None
    found: Outcome | Amendment = decode_conclusion(value)
    return found


def concluded(
    outgoing: Iterable[Outgoing], wants: Wants, at_hand: Mapping[str, Outcome] = MappingProxyType({})
) -> Iterator[Outcome | Amendment]:
    """The conclusions among what a kernel sends, without finals that are not wanted. Those `at_hand` by id are not decoded."""
    for out in outgoing:
        if out.topic == OUTCOMES.name and (one := at_hand.get(out.key) or conclusion_of(out.value, wants)) is not None:
            yield one
