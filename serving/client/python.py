"""Forage from Python, over HTTP: search, say what people did, decide and rank. The standard library is enough.

    client = ForageClient("http://127.0.0.1:8080")
    page = client.search("halo", client_id="u-17")
    client.record(page, "click", page.results[0].entity_id)

What people did is told by a thread of the client's own: `record` never waits and never raises for a network that is away.
"""

import atexit
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

from serving.client.sending import Event, Sender
from serving.client.wire import Json, Wire

RECENT, PEOPLE = 20, 10_000  # chosen entities kept for a person; people kept, the one longest unseen goes


@dataclass(frozen=True)
class Hit:
    """One result of a page. `sources`: who found it, as {"strategy", "rank", "score"}."""

    entity_id: str
    title: str
    position: int
    score: float
    entity_type: str = ""
    sources: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Page:
    """A page of results. `token` proves that it was answered; `answer` is all that the service said (decision, timing, impression)."""

    search_id: str
    token: str
    query: str
    client_id: str | None
    results: tuple[Hit, ...]
    page: int = 1
    degraded: tuple[str, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False)


class ForageClient:
    """One for the whole process, from any thread. Close it, or use it as a context: what is still to be told goes out then; at the end
    of a process that does neither, it has two seconds.

    `token`: an API token, where the service asks for one; with the scope events it vouches for what its holder tells, else the token of
    each search does. `client_id`: the person, where there is only one (an app on a device); a server names the person with each search.
    `timeout`: seconds that an answer may take; what is told later may take longer.
    """

    def __init__(self, url: str, *, token: str = "", client_id: str | None = None, timeout: float = 2.0) -> None:
        self._wire = Wire(url, token=token, timeout=timeout)
        self._sender = Sender(Wire(url, token=token, timeout=10.0))
        self._client_id = client_id
        self._recent: OrderedDict[str, deque[str]] = OrderedDict()
        self._lock = Lock()
        atexit.register(self.close, 2.0)

    def search(self, query: str, *, client_id: str | None = None, k: int = 10, after: Page | None = None, **more: Any) -> Page:
        """Search. `after`: the page before, to turn pages. `more`: session_id, segment, surface, profile, context, explore of the API.

        Entities that this person chose lately go along. Raises Refused (what the service says to the request), Unreachable.
        """
        turned = {} if after is None else {"page": after.page + 1, "search_id": after.search_id, "token": after.token}
        asked = self._asked(query, client_id, k) | turned | more
        return _page(self._wire.post("/search", asked), asked)

    def record(self, page: Page, kind: str, entity_id: str, **attributes: Any) -> bool:
        """Somebody did something with a result: click, play, add_to_cart, purchase, like, viewed, dwell_10s, dwell_60s, dismiss.

        Returns at once; False when so much waits to be told that there is no room. A kind that the service refuses is logged.
        """
        if kind not in ("viewed", "dismiss") and page.client_id is not None:
            self._chose(page.client_id, entity_id)
        position = next((hit.position for hit in page.results if hit.entity_id == entity_id), None)
        action: Json = {
            "type": "action", "action_id": uuid4().hex, "search_id": page.search_id, "ts": time.time_ns() // 1_000_000, "kind": kind,
            "entity_id": entity_id, **({"position": position} if position else {}), **({"attributes": attributes} if attributes else {}),
        }  # fmt: skip
        return self._sender.put(Event(action, page.token, page.client_id))

    def decide(self, query: str, *, client_id: str | None = None, k: int = 10, **more: Any) -> Mapping[str, Any]:
        """For an engine of one's own: which of its strategies to ask, and how deep: {"search_id", "decision", "degraded"}.

        `more` as of `search`, with `available` (names of the strategies that can be asked now) and `search_id`.
        """
        return self._wire.post("/decide", self._asked(query, client_id, k) | more)

    def rank(
        self, query: str, decided: Mapping[str, Any], lists: Mapping[str, Sequence[tuple[str, float]]], *,
        client_id: str | None = None, k: int = 10, **more: Any,
    ) -> Page:  # fmt: skip
        """The page of what the asked strategies found: name -> (id, score), best first. With `record=True` it counts as shown."""
        plain = {name: [{"entity_id": entity, "score": score} for entity, score in found] for name, found in lists.items()}
        asked = self._asked(query, client_id, k) | {"search_id": decided["search_id"], "decision": decided["decision"], "lists": plain}
        asked |= more
        return _page(self._wire.post("/rank", asked), asked)

    def impression(self, page: Mapping[str, Any]) -> bool:
        """A page that an engine of one's own made and showed, as docs/producers.md has it. Needs an API token with the scope events."""
        return self._sender.put(Event({"type": "impression", "ts": time.time_ns() // 1_000_000, **page}))

    def action(self, action: Mapping[str, Any]) -> bool:
        """What was done with such a page. Needs an API token with the scope events."""
        return self._sender.put(Event({"type": "action", "action_id": uuid4().hex, "ts": time.time_ns() // 1_000_000, **action}))

    def recent(self, client_id: str | None = None) -> list[str]:
        """What this person chose lately, newest last."""
        with self._lock:
            return list(self._recent.get(client_id or self._client_id or "", ()))

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all is told that was recorded; whether it is."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = 5.0) -> int:
        """Tell what is left, for `timeout` seconds at most; how many events could not be told."""
        atexit.unregister(self.close)
        self._wire.close()
        return self._sender.close(timeout)

    def __enter__(self) -> "ForageClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _asked(self, query: str, client_id: str | None, k: int) -> Json:
        person = client_id if client_id is not None else self._client_id
        asked: Json = {"query": query, "k": k}
        return asked | ({"client_id": person, "recent": self.recent(person)} if person else {})

    def _chose(self, client_id: str, entity_id: str) -> None:
        with self._lock:
            chosen = self._recent.pop(client_id, None) or deque(maxlen=RECENT)
            if entity_id in chosen:
                chosen.remove(entity_id)
            chosen.append(entity_id)
            self._recent[client_id] = chosen
            if len(self._recent) > PEOPLE:
                self._recent.popitem(last=False)


def _page(answer: Json, asked: Json) -> Page:
    hits = (Hit(**{name: one[name] for name in Hit.__dataclass_fields__ if name in one}) for one in answer["results"])
    return Page(
        answer["search_id"], answer["token"], asked["query"], asked.get("client_id"), tuple(hits),
        page=answer["page"], degraded=tuple(answer["degraded"]), answer=answer,
    )  # fmt: skip
