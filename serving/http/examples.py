"""An example of each operation for the OpenAPI document: what is asked (None: nothing is sent) and what is answered."""

from typing import Any

_SEARCH, _TOKEN = "nVh2d1cJq3bW0r7xK5uVQg", "AaIAZ-V5YMuvNmRIVSR4rrgTmBKM96cufasWZj8hbVKFpoQnN_1TYhiFT1N4rUcF3Heo0vM8"
_CONTENT, _DECISION = "f87b17a7afc58073990baac6c81eb5284556dd39a4c311f3360e33a830b40068", "375198a333ed36ede021a1b01c714a96"
_RESULT: dict[str, Any] = {
    "entity_id": "d2", "entity_type": "dress", "title": "Red silk dress", "position": 1, "score": 0.49,
    "sources": [{"strategy": "lexical", "rank": 1, "score": 7.5}],
}  # fmt: skip
_ASKED = {"name": "lexical", "asked": True, "propensity": 0.98, "depth": 20, "returned": 1, "ms": 3.1, "status": "ok"}
_ARM = _ASKED | {"phi": [256, 0, 0, 0], "planned": 20, "depth_p": 0.967}
_DECIDED: dict[str, Any] = {
    "decision_id": _DECISION, "content_id": _CONTENT, "seq": 7, "salt": "forage", "available": ["lexical"], "arms": [_ARM],
    "always": [], "shadow": [], "rank_version": "720f8e02fcd12d2a9a44f71e663d3bac",
}  # fmt: skip
_WHO = {"query": "red dress", "client_id": "c-17"}
_VERSION = {
    "content_id": _CONTENT, "seq": 7, "created": 1_795_303_138_901, "pinned": False, "reason": "refresh", "exploration": 0.0,
}  # fmt: skip
_PART = {
    "strategy": "lexical", "role": "arm", "chance": 0.98, "asked": True, "wanted": 20, "returned": 1, "ms": 3.1, "status": "ok",
    "on_page": 1, "only_it": 1, "credit": 1.0,
}  # fmt: skip
_STORY = "1 of 1 methods was asked; Word match found 1 of the 1 results."
_PLACEMENT = {"mode": "score", "p": 0.9, "draw_p": 1.0}
_SHOWN = {name: value for name, value in _RESULT.items() if name != "title"} | {"features": [0, 256, 256], "placement": _PLACEMENT}
_IMPRESSION = {
    "schema_version": 1, "type": "impression", "search_id": _SEARCH, "page": 1, "application": "", "surface": "search",
    "client_id": "c-17", "session_id": None, "ts": 1_795_303_139_460, "segment": "", "feature_schema": "63667693a84aa33ab07b4647f6b3f8de",
    "query": {"text": "red dress", "key": "red dress", "locale": "", "query_class": "2", "features": []},
    "context": {"device": "", "locale": "", "hour_of_week": None, "holiday": None, "profile": {}}, "decision": _DECIDED,
    "results": [_SHOWN], "candidates": [], "candidates_p": 0.1, "attributes": {},
}  # fmt: skip
_CLICK = {
    "type": "action", "action_id": "a-1", "search_id": _SEARCH, "kind": "click", "entity_id": "d2", "token": _TOKEN,
}  # fmt: skip
_MEMORY = {
    "entity_id": "d2", "title": "Red silk dress", "shown": {"1": 12, "2": 3, "3": 0, "4-5": 0, "6-10": 0, "11+": 0}, "acted": {"click": 4},
    "first_day": "2026-11-19", "last_day": "2026-11-21", "reward": 3.9, "examined": 13.2, "clients": 4,
}  # fmt: skip

EXAMPLES: dict[tuple[str, str], tuple[Any, Any]] = {
    ("post", "/search"): (
        _WHO | {"k": 10, "recent": ["d3"], "context": {"device": "phone"}},
        {
            "search_id": _SEARCH, "token": _TOKEN, "page": 1, "results": [_RESULT], "degraded": [],
            "decision": {"decision_id": _DECISION, "content_id": _CONTENT, "seq": 7, "strategies": [_ASKED]},
            "timing_ms": {"decide": 0.2, "retrieve": 3.4, "rank": 0.6, "total": 4.2},
        },
    ),
    ("post", "/events"): ({"client_id": "c-17", "events": [_CLICK]}, {"accepted": 1, "duplicates": 0, "refused": []}),
    ("post", "/decide"): (_WHO | {"available": ["lexical"]}, {"search_id": _SEARCH, "decision": _DECIDED, "degraded": []}),
    ("post", "/rank"): (
        _WHO | {"search_id": _SEARCH, "decision": _DECIDED, "lists": {"lexical": [{"entity_id": "d2", "score": 7.5}]}, "record": True},
        {
            "search_id": _SEARCH, "token": _TOKEN, "page": 1, "results": [{**_RESULT, "placement": _PLACEMENT}], "impression": _IMPRESSION,
            "recorded": True, "degraded": [],
        },
    ),
    ("post", "/snapshots"): (
        {"action": "rollback", "content_id": _CONTENT, "reason": "sale week"},
        {"said": "Version 9 has the content of version 7; it holds until it is released."},
    ),
    ("post", "/demo/speed"): ({"speed": 20}, {"speed": 20.0, "searches": 1_204, "said": "400 people search 20 times a second."}),
    ("get", "/explain"): (
        None,
        {
            "search_id": _SEARCH, "page": 1, "sentence": _STORY, "story": {"sentence": _STORY, "parts": [_PART], "tests": 0},
            "explanation": None, "missing": None,
        },
    ),
    ("get", "/policy"): (
        None, {"version": _VERSION, "definition": {"model": "selection-1"}, "available": ["lexical"], "degraded": []},
    ),
    ("get", "/memory"): (None, {"query_key": "red dress", "segment": "", "total": 1, "entities": [_MEMORY]}),
    ("get", "/snapshots"): (None, {"snapshots": [_VERSION]}),
    ("get", "/healthz"): (None, {"status": "ok"}),
    ("get", "/readyz"): (None, {"status": "ready", "degraded": [], "strategies": ["lexical"]}),
    ("get", "/metrics"): (None, "# TYPE forage_searches_total counter\nforage_searches_total 1204\n"),
}  # fmt: skip
