"""Events that come over HTTP: each is validated alone, taken once, and only from whoever may say it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from schemas.base import DAY_MS, Count, Id, Message
from schemas.errors import InvalidMessage, NotAllowed, Unavailable
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from schemas.explain import explain
from serving.site import Site

MOST_EVENTS = 1_000  # of a batch
MOST_OF_A_PAGE = 100  # of a batch without an API token: a page sends 50, and the room for events is everybody's
MOST_SEEN = 50_000  # some 10 MB: what a client sends again it sends within minutes; workers count an id once for ever
Event = Impression | Action | SuggestImpression | SuggestAccept  # ticks are written by workers alone
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])

AnyJson = Annotated[
    Any,
    Field(
        description="one of the schemas Action, Impression, SuggestImpression and SuggestAccept, with `token` beside; "
        "anything else is refused, alone"
    ),
]


class EventsRequest(Message):
    """A batch of events. An action from a browser brings `token` as one more field: that of the answer with the page it was done on, and
    the batch the `client_id` that was searched with. `ts` may be left out: it is then the time at which the event comes in."""

    client_id: Id | None = None
    events: Annotated[list[AnyJson], Field(min_length=1, max_length=MOST_EVENTS)]


class Problem(Message):
    """Why one event of the batch was refused; `index` counts from 0."""

    index: Count
    problems: list[str]


class EventsAnswer(Message):
    """What became of a batch: events taken now, events that had been taken before, and those that were refused."""

    accepted: Count
    duplicates: Count
    refused: Sequence[Problem]


class Seen:
    """The last MOST_SEEN events by id, with a hash of their content. Any thread."""

    def __init__(self, most: int = MOST_SEEN) -> None:
        self._most, self._lock = most, Lock()
        self._hashes: OrderedDict[tuple[str, ...], bytes] = OrderedDict()

    def claim(self, key: tuple[str, ...], content: bytes) -> bytes | None:
        """The hash of the event that came with this id before; None if none did, and then it is this one."""
        with self._lock:
            before = self._hashes.get(key)
            self._hashes[key] = before or content
            if len(self._hashes) > self._most:
                self._hashes.popitem(last=False)
            return before

    def forget(self, key: tuple[str, ...]) -> None:
        """An event that was claimed could not be taken."""
        with self._lock:
            self._hashes.pop(key, None)


def take(site: Site, batch: EventsRequest, *, trusted: bool, seen: Seen) -> EventsAnswer:
    """Take what is right of a batch. `trusted`: the sender may send events without tokens of searches, and other events than actions.

    Raises Unavailable where there is no room: what was taken before stays taken, and is a duplicate when the batch is sent again; and
    InvalidMessage for more events than a page sends, from a page.
    """
    if not trusted and len(batch.events) > MOST_OF_A_PAGE:
        least = f"events: has {len(batch.events)}, at most {MOST_OF_A_PAGE} without an API token; send several batches"
        raise InvalidMessage("not a batch", [least])
    accepted, duplicates, refused = 0, 0, list[Problem]()
    for index, plain in enumerate(batch.events):
        try:
            new = _take(site, plain, client_id=batch.client_id, trusted=trusted, seen=seen)
        except _Wrong as wrong:
            refused.append(Problem(index=index, problems=wrong.problems))
            site.live.refused("event")
        else:
            accepted, duplicates = accepted + new, duplicates + (not new)
    return EventsAnswer(accepted=accepted, duplicates=duplicates, refused=refused)


def record(site: Site, event: Event) -> None:
    """Hand an event on, note an action with its page and in the meters. Raises Unavailable when there is no room."""
    if not site.backend.emit(event):
        raise Unavailable("there is no room for events now; send the same batch again in some seconds, what was taken counts once")
    if isinstance(event, Action):
        site.kept.acted(event)
        site.live.acted(event)


class _Wrong(Exception):
    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)


def _take(site: Site, plain: Any, *, client_id: str | None, trusted: bool, seen: Seen) -> bool:
    """Whether an event was new. Raises _Wrong, Unavailable."""
    now = site.clock()
    event, token = _parsed(plain, now)
    _check_time(event, now)
    _check_token(site, event, token, client_id=client_id, now=now, trusted=trusted)
    key, content = _key(event), _hash(plain)
    before = seen.claim(key, content)
    if before is not None and before != content:
        raise _Wrong(f"{_ID_OF[event.type]}: was sent before with other content; give every event an id of its own")
    if before is None:
        try:
            record(site, event)
        except Unavailable:
            seen.forget(key)
            raise
    return before is None


def _parsed(plain: Any, now: int) -> tuple[Event, str | None]:
    """The event and its token. Raises _Wrong."""
    if not isinstance(plain, dict):
        raise _Wrong("message: must be an object; send one event as a JSON object")
    token = plain.get("token")
    if token is not None and not isinstance(token, str):
        raise _Wrong("token: must be text; send the token as it was answered")
    try:
        event = _EVENT.validate_python({"ts": now} | {name: value for name, value in plain.items() if name != "token"})
    except ValidationError as error:
        raise _Wrong(*explain(error)) from None
    return event, token


def _check_time(event: Event, now: int) -> None:
    if abs(event.ts - now) > DAY_MS:
        raise _Wrong(f"ts: is more than 24 h from now ({now}), got {event.ts}; send milliseconds since 1970-01-01 UTC, or leave it out")


def _check_token(site: Site, event: Event, token: str | None, *, client_id: str | None, now: int, trusted: bool) -> None:
    """Whoever is not trusted proves that he was answered this search, and shown this entity. A token that comes is always checked."""
    if not trusted and not isinstance(event, Action):
        raise _Wrong(f"type: {event.type} needs an API token with the scope events; from a page, send actions only")
    if token is None:
        if not trusted:
            raise _Wrong("token: is missing; send the token that /search answered, or an API token with the scope events")
    elif isinstance(event, Action):
        try:
            site.signer.check(token, search_id=event.search_id, client_id=client_id, now=now, entity_id=event.entity_id)
        except NotAllowed as error:
            raise _Wrong(str(error)) from None
    if isinstance(event, Action) and (kept := site.kept.get(event.search_id)) is not None and not kept.counted:
        raise _Wrong("search_id: this search was a try that is not counted, nothing is learned from it; search with counting on")


_ID_OF = {"impression": "search_id", "action": "action_id", "suggest_impression": "suggest_id", "suggest_accept": "suggest_id"}


def _key(event: Event) -> tuple[str, ...]:
    if isinstance(event, Impression):
        return event.type, event.search_id, str(event.page)
    if isinstance(event, Action):
        return event.type, event.search_id, event.action_id
    return event.type, event.suggest_id, "" if isinstance(event, SuggestImpression) else event.suggestion


def _hash(plain: Mapping[str, Any]) -> bytes:
    """Of what was sent, without its token: a page may have been answered twice."""
    return blake2b(to_json(sorted((name, value) for name, value in plain.items() if name != "token")), digest_size=8).digest()
