"""What all messages share: strict types, bounded lengths, finite numbers, plain data."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

VERSION: Literal[1] = 1
UNIT = 256  # features, credits and rewards are integers in units of 1/256, so that sums are exact
MAX_FEATURE = 4 * UNIT
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class _OneProblem:
    """A union that is refused with one problem of the kind `scalar`, not with one for each of its members."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return {**schema, "custom_error_type": "scalar", "custom_error_message": "must be a plain value"}


Id = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Label = Annotated[str, Field(max_length=128)]
Text = Annotated[str, Field(max_length=512)]
Millis = Annotated[int, Field(ge=0, lt=2**48, description="milliseconds since 1970-01-01 UTC")]
Probability = Annotated[float, Field(gt=0.0, le=1.0)]
Score = Annotated[float, Field(ge=-1e12, le=1e12)]
GridInt = Annotated[int, Field(ge=-MAX_FEATURE, le=MAX_FEATURE, description="units of 1/256")]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Rank = Annotated[int, Field(ge=1, le=100_000)]
_Small = Field(gt=-(2**53), lt=2**53)  # beyond, JSON parsers round whole numbers without a word
Scalar = Annotated[Annotated[str, Field(max_length=1024)] | bool | Annotated[int, _Small] | Annotated[float, _Small], _OneProblem()] | None
Attributes = Annotated[dict[Label, Scalar], Field(max_length=64)]


class Message(BaseModel):
    """A strict, frozen record: unknown fields, wrong types, NaN and infinities are refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")
