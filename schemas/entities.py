"""What can be found: a song, a product, an ad."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import VERSION, Id, Label, Message, Millis, Scalar


class AttributeValue(Message):
    """One value of an attribute, how sure we are of it, and who said so."""

    value: Scalar
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    source: Literal["human", "model"] = "human"


class Related(Message):
    """A link to another entity: ("by", "artist:42")."""

    type: Label
    entity_id: Id


class Entity(Message):
    """One thing of the catalogue. `deleted` is a tombstone: it leaves every index."""

    schema_version: Literal[1] = VERSION
    entity_id: Id
    entity_type: Label = ""
    title: Annotated[str, Field(max_length=2_000)] = ""
    text: Annotated[str, Field(max_length=200_000)] = ""
    attributes: Annotated[dict[Label, Annotated[list[AttributeValue], Field(max_length=256)]], Field(max_length=64)] = {}
    related: Annotated[list[Related], Field(max_length=1_000)] = []
    popularity: Annotated[float, Field(ge=0.0, le=1e12)] = 0.0
    created_at: Millis | None = None
    deleted: bool = False
