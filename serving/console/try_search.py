"""What does this search return, and why?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from display.charts.bars import overlap
from display.numbers import listed, milliseconds, plural
from display.words import method
from schemas.errors import InvalidMessage
from schemas.events import Action
from schemas.explain import explain
from schemas.ids import digest
from serving.console.comparing import choices, compare
from serving.console.drawing import both as drawn
from serving.console.finding import meant
from serving.console.frame import Screen, back, from_here, may, posted, render
from serving.console.trying import Tried, keep, tried
from serving.kept import Search
from serving.lost import missing
from serving.made import story
from serving.recording import record
from serving.searching import SearchRequest, search
from serving.site import Site

QUESTION = "What does this search return, and why?"
CLIENT = "forage_client"  # cookie: who tries here, so that choices count as one person's
WATCHED_MS = 30_000  # so long after a choice the page is looked at every second
SAMPLES = 5
# Which step of the way each stage that loses an item is at: in the catalogue, asked, found, ranked, not moved; beyond the last for none.
STEPS = {
    "catalogue": 0, "failed": 1, "not_asked": 1, "depth": 2, "not_found": 2, "since": 2, "ranked": 3, "page": 3, "test": 4, "shown": 5,
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the address of the screen says. `count`: the search and what is chosen count, as if a shopper had searched."""

    q: str = ""
    page: int = 1
    group: str = ""
    count: bool = False
    search: str = ""
    compare: str = ""
    find: str = ""
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request, *, counted: bool) -> "Asked":
        """From the query string; `counted` where it does not say."""
        given = request.query_params
        page = given.get("page", "1")
        return cls(
            q=given.get("q", "").strip()[:512],
            page=min(1000, max(1, int(page))) if page.isascii() and page.isdigit() and len(page) < 5 else 1,
            group=given.get("group", "").strip()[:200],
            count=given["count"] == "1" if "count" in given else counted and "asked" not in given,
            search=given.get("search", "")[:200],
            compare=given.get("compare", "")[:200],
            find=given.get("find", "").strip()[:200],
            fields=tuple(given.getlist("field"))[:8],
        )

    def address(self, **other: object) -> str:
        """The screen's address, with other values where given."""
        said = self.__dict__ | other
        pairs = [(name, said[name]) for name in ("q", "group", "search", "compare", "find") if said[name]]
        pairs += [("page", said["page"])] if said["page"] != 1 else []
        pairs += [("count", int(bool(said["count"])))]
        return "/console/try?" + urlencode([*pairs, *(("field", one) for one in said["fields"])])


def routes(site: Site) -> list[BaseRoute]:
    """GET /console/try, POST /console/try/choose."""

    def show(request: Request) -> Response:
        asked = Asked.of(request, counted=site.crowd is not None)
        if not asked.q:
            return _shown(request, site, asked, None)
        kept = site.kept.get(asked.search, asked.page) if asked.search else None
        if kept is None or kept.request.query != asked.q:
            return _searched(request, site, asked)
        return _shown(request, site, asked, kept)

    def choose(request: Request, fields: Mapping[str, str]) -> Response:
        _choose(site, request.cookies.get(CLIENT), fields)
        return back(fields, "/console/try")

    return [Route("/console/try", show), Route("/console/try/choose", posted(choose), methods=["POST"])]


def _searched(request: Request, site: Site, asked: Asked) -> Response:
    """Search, then go to the address that names the search: who loads it again sees the same one, and counts nothing twice."""
    client = request.cookies.get(CLIENT, "")
    client = client if client.startswith("console-") and len(client) <= 100 else f"console-{site.new_id()}"
    turned = site.kept.get(asked.search) if asked.search and asked.page > 1 else None
    own = turned is None or turned.request.client_id == client  # to look at the next page of a shopper is not to be that shopper
    counted = asked.count and own and from_here(request) and may(request, site, "search")
    try:
        wanted = SearchRequest(query=asked.q, client_id=client, segment=asked.group, page=asked.page)
    except ValidationError as error:
        raise InvalidMessage("this cannot be searched", explain(error)) from None
    if turned is not None and turned.request.query == asked.q:
        token = site.signer.sign(asked.search, turned.request.client_id, site.clock())
        repeats = {"k": turned.request.size, "client_id": turned.request.client_id}
        wanted = wanted.model_copy(update={**repeats, "search_id": asked.search, "token": token})
    answer = search(site, wanted, counted=counted)
    keep(site, answer.search_id, answer.page)
    gone = RedirectResponse(asked.address(search=answer.search_id, count=counted), 303)
    gone.set_cookie(CLIENT, client, path="/console", httponly=True, samesite="strict", max_age=31_536_000)
    return gone


def _choose(site: Site, client: str | None, fields: Mapping[str, str]) -> None:
    """A click on a result, checked and counted like one from any page. Raises NotAllowed for a token that does not fit."""
    search_id, entity_id = fields.get("search", ""), fields.get("entity", "")
    now = site.clock()
    site.signer.check(fields.get("token", ""), search_id=search_id, client_id=client, now=now, entity_id=entity_id)
    place = fields.get("place", "")
    action = Action(
        action_id=digest("console", search_id, entity_id, str(now)), search_id=search_id, ts=now, kind="click", entity_id=entity_id,
        position=int(place) if place.isdigit() and 0 < int(place) <= 10_000 else None,
    )  # fmt: skip
    record(site, action)


def _shown(request: Request, site: Site, asked: Asked, kept: Search | None) -> Response:
    values: dict[str, Any] = {"q": asked, "choices": choices(site, asked.group), "said": "", "tried": None, "compared": None, "lost": None}
    if kept is None:
        screen = Screen(QUESTION, "Type what a shopper would type, and see which methods were asked and why each item is where it is.")
        return render(request, "try.html", site=site, screen=screen, samples=site.live.read().newest[:SAMPLES], **values)
    own = kept.counted and kept.request.client_id == request.cookies.get(CLIENT)
    shown = tried(site, kept, fields=asked.fields)
    values |= {
        "tried": shown,
        "story": story(kept),
        "token": _token(site, kept) if own else "",
        "every": _every(site, kept),
        "nothing": _nothing(shown),
        "steps": STEPS,
    }
    if asked.compare:
        values["compared"] = both = compare(site, kept, asked.compare)
        values["overlap"] = drawn(
            lambda width: overlap("How much both lists share", both.said, both.only_a, both.both, both.only_b, width=width), wide=600
        )
    if asked.find:
        values["lost"] = _lost(kept, asked.find)
    return render(request, "try.html", site=site, screen=Screen(QUESTION, _sentence(shown)), **values)


def _token(site: Site, kept: Search) -> str:
    shown = [one.entity_id for one in kept.page.impression.results]
    return site.signer.sign(kept.request.search_id, kept.request.client_id, kept.request.ts, shown=shown)


def _every(site: Site, kept: Search) -> int:
    """Seconds until the results are looked at again: soon after a choice, else seldom; 0 for never."""
    if not kept.counted:
        return 0
    return 1 if kept.actions and site.clock() - kept.actions[-1].ts < WATCHED_MS else 10


def _lost(kept: Search, wanted: str) -> Mapping[str, Any]:
    """The items that may be meant, and what became of the one that is."""
    items = meant(kept.view.catalog, wanted)
    if len(items) > 1:
        return {"items": items, "stage": None}
    return {"items": items, "stage": missing(kept, items[0].entity_id if items else wanted)}


def _sentence(shown: Tried) -> str:
    """The answer in a sentence."""
    page = shown.search.page
    decision = page.impression.decision
    assert decision is not None
    asked, all_of_them = len(decision.asked()), len({arm.name for arm in decision.arms} | {one.name for one in decision.always})
    took = milliseconds(page.timing.get("total"))
    if not shown.rows:
        return f"Nothing: {asked} of {plural(all_of_them, 'method')} were asked and found no item, in {took}."
    begins = f"{plural(len(shown.rows), 'item')} from {asked} of {plural(all_of_them, 'method')}, in {took}"
    return f"{begins}; first comes “{shown.rows[0].thing.title}”."


def _nothing(shown: Tried) -> str:
    """Why a page is empty: whom nobody asked, who broke, who answered nothing."""
    decision = shown.search.page.impression.decision
    assert decision is not None
    came = {arm.name: arm.status for arm in decision.arms if arm.asked} | {one.name: one.status for one in decision.always}
    broken = [method(name).label for name, status in came.items() if status in ("failed", "late")]
    empty = [method(name).label for name, status in came.items() if status == "ok"]
    parts = [f"{listed(empty)} answered, with nothing."] if empty else []
    parts += [f"{listed(broken)} failed or came too late."] if broken else []
    none = "No method can be asked here: an engine of your own asks them, or none could be made."
    return " ".join(parts) or ("No method was asked." if decision.available else none)
