"""Quarantined messages go out again, if they can still count.

A message can count later only if its id was never taken. The kernel takes an id before it asks whether an event comes too late, changes its
search, or finds its impression; what it refuses earlier (`invalid`, `ts_out_of_range`) left no trace and may come again as it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

from kafka.errors import KafkaError

from schemas.base import DAY_MS, HOUR_MS
from schemas.codec import decode_event
from schemas.errors import InvalidMessage, InvalidSetting, Unavailable
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression, Tick
from schemas.ids import digest
from streams.admin import inputs_of
from streams.clients import Security, told
from streams.producing.delivery import SILENT_AFTER, Delivery
from streams.producing.outgoing import Envelope, outgoing
from streams.quarantine import Held

AT_ONCE = 500  # messages under way at once
_NEVER = {
    "conflict": "never: its id counted with other content; if it is another event, give it an id of its own (`forage quarantine show "
    "--raw`) and send it with `forage events send -`",
    "too_late": "never: whether it was in time is decided by when it came; send events of a search sooner",
}
_Timed = Impression | Action | SuggestImpression | SuggestAccept


class Fate(NamedTuple):
    """What sending a message again comes to: the record to send, None if it cannot count any more; and that in words."""

    record: Envelope | None
    says: str


def fate(held: Held, *, now: int, window: int) -> Fate:
    """What becomes of a message that is sent again at `now`; `window` (ms) is that of the rules. Pure."""
    if held.cut:
        return Fate(None, "never: only its beginning was kept; its sender must send it again, smaller")
    if held.reason in _NEVER:
        return Fate(None, _NEVER[held.reason])
    try:
        event = decode_event(held.value)
    except InvalidMessage as error:
        return Fate(None, _repair(held, str(error)))
    if isinstance(event, Tick):
        return Fate(None, "never: it is a tick, which workers write")
    if refusal := _out_of_time(event, now):
        return Fate(None, refusal)
    if held.reason == "unmatched":
        return _unmatched(held, event, window)
    record = outgoing(event)._replace(value=held.value)  # its very bytes: another copy of them is then a repeat, not a conflict
    return Fate(record, f"goes to {record.topic}" + (_joins(window) if isinstance(event, Action) else ""))


def _repair(held: Held, error: str) -> str:
    why = error.partition(", got ")[0]  # without what the message held: bodies are people's data
    return f"not as it is ({why}): `forage quarantine show {held.id[:12]} --raw > one.json`, correct it, `forage events send - < one.json`"


def _out_of_time(event: _Timed, now: int) -> str:
    if event.ts > now + DAY_MS:
        return f"not yet: its ts is {(event.ts - now) / HOUR_MS:.0f} h ahead; send it again when less than 24 h are left, or correct ts"
    if event.ts < now - DAY_MS:
        return (
            f"never: its ts is {(now - event.ts) / HOUR_MS:.0f} h old, and events count for 24 h; if ts is wrong, correct it (show --raw)"
        )
    return ""


def _unmatched(held: Held, event: _Timed, window: int) -> Fate:
    """Its id is taken, so it goes out under one that follows from the message: sent twice, it still counts once."""
    assert isinstance(event, Action)
    again = event.model_copy(update={"action_id": digest("sent again", held.id)})
    record = outgoing(again)
    return Fate(record, f"goes to {record.topic} under a new action_id, its own is taken{_joins(window)}")


def _joins(window: int) -> str:
    return f"; counts if the impression of its search came or comes within {window // 60_000} min of now"


def refuse_old_logs(bootstrap: str, *, security: Security | None = None) -> None:
    """Raises InvalidSetting where the inputs keep their senders' times: there time cannot step back."""
    if inputs_of(bootstrap, security=security)[1] == "CreateTime":
        raise InvalidSetting(
            f"the inputs at {bootstrap} hold a recorded log with its own times (CreateTime), and time cannot step back; correct the log, "
            "make the topics anew and send all of it with `forage events send`"
        )


def send_again(bootstrap: str, records: Sequence[Envelope], *, security: Security | None = None) -> int:
    """Send records to where they belong; returns how many the broker has. Whoever calls it twice sends repeats, which count once.

    Raises Unavailable when the broker did not take all of them.
    """
    delivery, taken = Delivery(bootstrap, security), 0
    try:
        for at in range(0, len(records), AT_ONCE):
            some = dict(enumerate(records[at : at + AT_ONCE]))
            attempt = delivery.hand_over(some)
            attempt.wait(SILENT_AFTER)
            fates = attempt.result()
            taken += sum(error is None for error in fates.values())
            if taken < at + len(some):
                raise Unavailable(_short_of(bootstrap, taken, len(records), next((e for e in fates.values() if e), None)))
    except KafkaError as error:
        raise Unavailable(_short_of(bootstrap, taken, len(records), error)) from None
    finally:
        delivery.discard()
    return taken


def _short_of(bootstrap: str, taken: int, wanted: int, error: Exception | None) -> str:
    why = told(error, bootstrap) if error else "no answer"
    return f"broker {bootstrap} took {taken} of {wanted} messages ({why}); send them again: what it has will not count twice"
