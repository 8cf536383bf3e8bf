"""The lines of a dataset's tables: what each holds, and how its text becomes values. A wrong value raises ValueError with the column,
the value, the rule and the remedy; who reads the file adds its name and line."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from schemas.events import ACTION_KINDS, ActionKind

Row = Mapping[str, str]


class Click(NamedTuple):
    """One action of a log. `search_ts` is when its page was computed, None where the log does not say."""

    ts: int
    search_ts: int | None
    client_id: str
    query: str
    entity_id: str
    action: ActionKind
    value: float | None


class QueryText(NamedTuple):
    """One query of a judged dataset; `frequency` weighs it in generated traffic."""

    query_id: str
    text: str
    frequency: float


class Judgment(NamedTuple):
    """How relevant an entity is to a query: gain in [0, 1]."""

    query_id: str
    entity_id: str
    gain: float


def _millis(row: Row, column: str) -> int:
    text = row[column]
    if not (text.isascii() and text.isdigit() and int(text) < 2**48):
        raise ValueError(f"{column}: {text!r} is not a time in milliseconds since 1970; convert it")
    return int(text)


def _number(row: Row, column: str, *, low: float, high: float) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{column}: {row[column]!r} is not a number from {low:g} to {high:g}; correct it")
    return value


def _words(row: Row, column: str, *, least: int, most: int) -> str:
    if not least <= len(row[column]) <= most:
        raise ValueError(
            f"{column}: {row[column][:80]!r} has {len(row[column])} characters, allowed are {least} to {most}; shorten or fill it"
        )
    return row[column]


def _kind(text: str) -> ActionKind:
    for kind in ACTION_KINDS:
        if kind == text and kind != "other":  # `other` needs a name, for which the file has no column
            return kind
    raise ValueError(f"action: {text!r} is not one of {[kind for kind in ACTION_KINDS if kind != 'other']}; map it to one of them")


def parse_click(row: Row) -> Click:
    ts = _millis(row, "ts")
    search_ts = _millis(row, "search_ts") if row.get("search_ts") else None
    if search_ts is not None and search_ts > ts:
        raise ValueError(f"search_ts: {search_ts} is after ts {ts}, a page comes before its clicks; correct the times")
    value = _number(row, "value", low=-1e12, high=1e12) if row.get("value") else None
    client, entity = _words(row, "client_id", least=1, most=256), _words(row, "entity_id", least=1, most=256)
    return Click(ts, search_ts, client, _words(row, "query", least=0, most=512), entity, _kind(row["action"]), value)


def parse_query(row: Row) -> QueryText:
    frequency = _number(row, "frequency", low=0.0, high=1e12) if row.get("frequency") else 1.0
    return QueryText(_words(row, "query_id", least=1, most=256), _words(row, "text", least=0, most=512), frequency)


def parse_judgment(row: Row) -> Judgment:
    query, entity = _words(row, "query_id", least=1, most=256), _words(row, "entity_id", least=1, most=256)
    return Judgment(query, entity, _number(row, "gain", low=0.0, high=1.0))
