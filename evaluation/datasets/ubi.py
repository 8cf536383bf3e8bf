"""User Behavior Insights (UBI 1.3) as a dataset, and a run's events as UBI.

SRC holds `ubi_queries` and `ubi_events`, JSON lines or one array, .json, .ndjson or .jsonl, packed or not; hits of an OpenSearch index with
their `_source` are read as they are. Entities are all that was returned or acted on, titled by the `description` of an event's object
where one says it. Clicks are the events with a kind of ours, under the query's text: that of the event, else that of its query. An event
that names no query that is known, or no object, cannot be learned from and is left out.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.rows import Click
from evaluation.datasets.source import json_lines, parsed, words
from schemas.entities import Entity
from schemas.errors import NotFound
from schemas.events import Action, Impression
from schemas.ubi import EVENT, action_of, impression_of, ubi_event, ubi_query

QUERIES, EVENTS = "ubi_queries", "ubi_events"
ENDS = tuple(end + packed for end in (".json", ".ndjson", ".jsonl") for packed in ("", ".gz"))
TITLE = 2_000  # characters that an entity's title has room for
Plain = dict[str, Any]


def import_ubi(src: Path, out: Path) -> Dataset:
    """Write the dataset folder `out` from a folder of UBI data, clicks in the order of their times.

    Raises NotFound when a file is missing, CorruptFile when a line does not parse or lacks what UBI requires.
    """
    first: dict[str, Impression] = {}
    entities: dict[str, str] = {}
    for page in parsed(_place(src, QUERIES), json_lines, _page, files=[QUERIES, EVENTS]):
        entities |= {one.entity_id: entities.get(one.entity_id, "") for one in page.results}
        if page.search_id not in first or page.ts < first[page.search_id].ts:
            first[page.search_id] = page
    clicks = set()
    for event, action in parsed(_place(src, EVENTS), json_lines, _event, files=[QUERIES, EVENTS]):
        if action is None or action.entity_id is None or action.kind == "other":
            continue
        if (click := _click(event, action, first.get(action.search_id))) is not None:
            clicks.add(click)
            entities[action.entity_id] = entities.get(action.entity_id) or _title(event)
    made = (Entity(entity_id=name, title=title[:TITLE]) for name, title in sorted(entities.items()))
    return write(out, entities=made, clicks=sorted(clicks, key=lambda one: (one.ts, one.client_id, one.query, one.entity_id, one.action)))


def export_ubi(events: Iterable[Impression | Action], out: Path) -> tuple[int, int]:
    """Write a run's events as `ubi_queries.ndjson.gz` and `ubi_events.ndjson.gz`; returns how many of each. An event that follows its
    query's page gets the query's application and client, which our actions do not repeat."""
    out.mkdir(parents=True, exist_ok=True)
    said: dict[str, Plain] = {}
    counts = {QUERIES: 0, EVENTS: 0}
    with _packed(out / f"{QUERIES}.ndjson.gz") as queries, _packed(out / f"{EVENTS}.ndjson.gz") as acts:
        for event in events:
            if isinstance(event, Impression):
                plain = ubi_query(event)
                said[event.search_id] = {name: plain[name] for name in ("application", "client_id") if name in plain}
            else:
                plain = said.get(event.search_id, {}) | ubi_event(event)
            counts[QUERIES if isinstance(event, Impression) else EVENTS] += 1
            (queries if isinstance(event, Impression) else acts).write(json.dumps(plain, ensure_ascii=False).encode() + b"\n")
    return counts[QUERIES], counts[EVENTS]


@contextmanager
def _packed(place: Path) -> Iterator[gzip.GzipFile]:
    """Equal events give equal bytes: no name, no time."""
    with place.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
        yield packed


def _place(src: Path, name: str) -> Path:
    found = [src / f"{name}{end}" for end in ENDS if (src / f"{name}{end}").is_file()]
    if len(found) != 1:
        what = f"holds {[one.name for one in found]}, keep one" if found else "is missing"
        raise NotFound(f"{src / name} {what}; give the folder that holds {QUERIES} and {EVENTS} as one of {', '.join(ENDS)}")
    return found[0]


def _source(plain: Any) -> Plain:
    if not isinstance(plain, dict):
        raise ValueError(f"is {type(plain).__name__}, not a JSON object")
    inner = plain.get("_source")
    return inner if isinstance(inner, dict) else plain


def _page(plain: Any) -> Impression:
    return impression_of(_source(plain))


def _event(plain: Any) -> tuple[Plain, Action | None]:
    event = _source(plain)
    return event, None if not event.get("query_id") else action_of(event)


def _click(event: Mapping[str, Any], action: Action, page: Impression | None) -> Click | None:
    text = event.get("user_query") or (page.query.text if page is not None else None)
    if not isinstance(text, str):
        return None
    who = event.get("client_id") or action.session_id or action.search_id
    search_ts = page.ts if page is not None and page.ts <= action.ts else None
    return Click(action.ts, search_ts, str(who), words(text)[:512], str(action.entity_id), action.kind, None)


def _title(event: Mapping[str, Any]) -> str:
    about = event[EVENT]["object"]
    return words(about.get("description"))
