"""What applications say: what was shown (impressions) and what people did (actions).

UBI 1.3 has the same things under these names; what it does not have travels in `attributes`:

    here             UBI query                    UBI event
    search_id        query_id                     query_id
    query.text       user_query
    results[]        query_response_object_ids
    entity_id                                     event_attributes.object.object_id
    position                                      event_attributes.position.ordinal
    kind                                          action_name
    application      application                  application
    client_id        client_id                    client_id
    session_id                                    session_id
    ts               timestamp                    timestamp
    attributes       query_attributes             event_attributes
"""

from operator import not_
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import (
    VERSION,
    Attributes,
    Count,
    GridInt,
    Id,
    Label,
    Message,
    Millis,
    Name,
    Probability,
    Rank,
    Score,
    Text,
)  # fmt: skip
from schemas.decisions import Decision

ActionKind = Literal["viewed", "click", "play", "add_to_cart", "purchase", "like", "dwell_10s", "dwell_60s", "dismiss", "other"]
ACTION_KINDS: tuple[ActionKind, ...] = (
    "viewed", "click", "play", "add_to_cart", "purchase", "like", "dwell_10s", "dwell_60s", "dismiss", "other",
)  # fmt: skip
Features = Annotated[list[GridInt], Field(max_length=256)]


class Source(Message):
    """One strategy that found an entity: its rank there (1-based) and its own score."""

    strategy: Name
    rank: Rank
    score: Score


class Placement(Message):
    """How a result came to its position: by score, by an exploration slot, by swapping an adjacent pair, or picked by one of the two
    teams of an interleaved page; `team` says by which, "" where the other one had nothing left to pick.

    `p` is the chance of this result at this position given the order of the drawn scores; `draw_p` the chance that its own drawn score
    fell between those of its neighbours in that order, given theirs. Both 1 where nothing is drawn.
    """

    mode: Literal["score", "slot", "swap", "team"] = "score"
    p: Probability = 1.0
    draw_p: Probability = 1.0
    team: Annotated[Literal["", "a", "b"], Field(exclude_if=not_)] = ""


class Result(Message):
    """One entity of a page, as shown."""

    entity_id: Id
    entity_type: Label = ""
    position: Rank
    score: Score = 0.0
    sources: Annotated[list[Source], Field(max_length=32)] = []
    features: Features = []
    placement: Placement = Placement()


class CandidateSample(Message):
    """One of the first candidates of the union, shown or not, with the ranker's features at that time."""

    entity_id: Id
    score: Score
    sources: Annotated[list[Source], Field(max_length=32)] = []
    features: Features = []


class Query(Message):
    """What was searched. `key` is what memory is kept under; left out, it is computed from the text."""

    text: Text = ""
    key: Text | None = None
    locale: Label = ""
    query_class: Label = ""
    features: Features = []


class Context(Message):
    """Circumstances of the request, as used for the decision."""

    device: Label = ""
    locale: Label = ""
    hour_of_week: Annotated[int, Field(ge=0, le=167)] | None = None
    holiday: bool | None = None
    profile: Attributes = {}


class Impression(Message):
    """One page of results as a person saw it. Page 2 is an impression of its own with the same search_id and decision."""

    schema_version: Literal[1] = VERSION
    type: Literal["impression"] = "impression"
    search_id: Id
    page: Annotated[int, Field(ge=1, le=1000)] = 1
    application: Label = ""
    surface: Label = "search"
    client_id: Id | None = None
    session_id: Id | None = None
    ts: Millis
    query: Query
    segment: Label = ""
    context: Context = Context()
    decision: Decision | None = None
    feature_schema: Annotated[str, Field(max_length=120)] = ""
    results: Annotated[list[Result], Field(max_length=100)]
    candidates: Annotated[list[CandidateSample], Field(max_length=50)] = []
    candidates_p: Probability = 1.0
    attributes: Attributes = {}

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({result.entity_id for result in self.results}) != len(self.results):
            raise ValueError("an entity stands twice in results; show each entity once a page")
        if len({result.position for result in self.results}) != len(self.results):
            raise ValueError("two results share a position; number them 1, 2, 3 over all pages")
        return self


class Action(Message):
    """What somebody did with one result. The kind decides the reward, never the sender."""

    schema_version: Literal[1] = VERSION
    type: Literal["action"] = "action"
    action_id: Id
    search_id: Id
    session_id: Id | None = None
    ts: Millis
    kind: ActionKind
    name: Label | None = None
    entity_id: Id | None = None
    position: Rank | None = None
    attributes: Attributes = {}

    @model_validator(mode="after")
    def _kind_has_its_fields(self) -> Self:
        if self.kind == "other" and not self.name:
            raise ValueError("kind is 'other' without a name; set name to what happened")
        if self.kind != "other" and self.name is not None:
            raise ValueError(f"name goes with kind 'other' only; leave it out of {self.kind!r}")
        if self.kind != "other" and self.entity_id is None:
            raise ValueError(f"kind {self.kind!r} comes without entity_id; set it to what the action was done to")
        return self


class Tick(Message):
    """Written by workers so that time passes on an idle partition."""

    schema_version: Literal[1] = VERSION
    type: Literal["tick"] = "tick"


class SuggestImpression(Message):
    """The completions that were shown for a prefix."""

    schema_version: Literal[1] = VERSION
    type: Literal["suggest_impression"] = "suggest_impression"
    suggest_id: Id
    client_id: Id | None = None
    session_id: Id | None = None
    ts: Millis
    prefix: Text
    previous: Annotated[list[Text], Field(max_length=10)] = []
    suggestions: Annotated[list[Text], Field(max_length=50)]


class SuggestAccept(Message):
    """A completion that was taken."""

    schema_version: Literal[1] = VERSION
    type: Literal["suggest_accept"] = "suggest_accept"
    suggest_id: Id
    ts: Millis
    suggestion: Text
    position: Count


Event = Impression | Action | Tick | SuggestImpression | SuggestAccept
AnyEvent = Annotated[Event, Field(discriminator="type")]
SearchEvent = Impression | Action
