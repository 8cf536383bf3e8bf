"""Rows of additive state as they travel: the absolute value of one row of one source partition."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import VERSION, Count, Id, Label, Message, Name, Text

POSITION_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 100_000))
SKETCH = 8  # distinct clients are known exactly up to here


class MemoryRow(Message):
    """Counts of one (query_key, segment, entity, day). `shown` by position bin 1, 2, 3, 4-5, 6-10, 11+; `acted` in the order of
    ACTION_KINDS; `clients` the 8 smallest keyed hashes of those who acted, ascending."""

    schema_version: Literal[1] = VERSION
    query_key: Text
    segment: Label
    entity_id: Id
    day: Count
    shown: Annotated[list[Count], Field(min_length=6, max_length=6)]
    acted: Annotated[list[Count], Field(min_length=10, max_length=10)]
    clients: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(max_length=SKETCH)] = []


class TallyRow(Message):
    """Sums of one (kind, arm, context, hour). kind "arm": context is the feature schema and its length ("HASH/d"), sums are
    n, sum y, sum y^2, sum y phi (d), upper triangle of sum phi phi' (d (d + 1) / 2, row by row).
    kind "draw": context is the query class, sums are drawn, found, sole for each rank bin."""

    schema_version: Literal[1] = VERSION
    kind: Literal["arm", "draw"]
    arm: Name
    context: Label
    hour: Count
    sums: Annotated[list[Annotated[int, Field(ge=-(2**63), lt=2**63)]], Field(max_length=20_000)]


MemoryKey = tuple[str, str, str, int]  # query_key, segment, entity_id, day
TallyKey = tuple[str, str, str, int]  # kind, arm, context, hour
