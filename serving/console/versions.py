"""What runs now, what changed, how do I go back?"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from display.numbers import duration
from schemas.errors import ForageError
from schemas.snapshots import Manifest
from serving.backend import Order
from serving.console.changes import Difference, difference
from serving.console.frame import Screen, may, posted, render

if TYPE_CHECKING:
    from serving.site import Site

_ORDER_ID = re.compile(r"[0-9a-f-]{32,}")  # what stands there in place of words where orders come by Kafka
QUESTION = "What runs now, what changed, how do I go back?"
REASON = 120  # letters of a reason
NEWEST, MOST = 10, 50  # updates, and rows in all, that are listed: a publisher makes thousands a day
ORDERS = 20  # answers to orders that are kept
_HOW = {
    "refresh": "automatic update",
    "promote": "release",
    "release": "release",
    "rollback": "went back",
    "pin": "held",
    "unpin": "hold released",
}


@dataclass(frozen=True)
class Version:
    """One publication. `same_as`: the first one with the same contents, if that is another. `note`: what somebody wrote, "" for nothing.
    `refused`: why one cannot go back to it, "" where one can."""

    number: int
    content_id: str
    created: int
    how: str
    note: str
    same_as: int | None
    live: bool
    held: bool
    refused: str

    @property
    def name(self) -> str:
        return f"Version {self.number}"

    @property
    def automatic(self) -> bool:
        """Made by the publisher, not ordered by somebody."""
        return self.how == _HOW["refresh"]

    @property
    def said(self) -> str:
        """How it came about, what somebody wrote, whose contents it has."""
        note = f": “{self.note}”" if self.note else ""
        same = f", same contents as version {self.same_as}" if self.same_as is not None else ""
        return f"{self.how}{note}{same}"


@dataclass(frozen=True)
class Versions:
    """`sentence` answers the page's question. `versions`: newest first, the live one on top; `shown`: those of the list, `more` how many
    older updates are left out of it."""

    sentence: str
    versions: Sequence[Version] = ()
    held: bool = False
    shown: Sequence[Version] = ()
    more: int = 0
    kept: str = "Kept are the last 20, and of the last 10 days one of every hour and what people ordered; what is older is gone."

    @property
    def live(self) -> Version | None:
        return self.versions[0] if self.versions else None

    def find(self, number: int) -> Version | None:
        return next((one for one in self.versions if one.number == number), None)


def facts(manifests: Sequence[Manifest], *, ago: Callable[[int], str], may_operate: bool = True) -> Versions:
    """What was published, oldest first as `manifests` comes; `ago` says how long ago a time in ms was."""
    if not manifests:
        return Versions(
            "No version yet: the service runs on its starting point, which asks nearly every method. The first comes by itself."
        )
    first: dict[str, int] = {}
    for one in manifests:
        first.setdefault(one.content_id, one.seq)
    live = manifests[-1]
    rows = [_version(one, live, first[one.content_id], may_operate) for one in reversed(manifests)]
    shown = [row for at, row in enumerate(rows) if at < NEWEST or not row.automatic][:MOST]
    return Versions(_sentence(rows[0], len(rows), ago(live.created)), rows, live.pinned, shown, len(rows) - len(shown))


def _version(one: Manifest, live: Manifest, first: int, may_operate: bool) -> Version:
    action, _, note = one.reason.partition(":")
    refused = ""
    if one.content_id == live.content_id:
        refused = "In use now." if one.seq == live.seq else "The version in use has the same contents."
    elif not may_operate:
        refused = "Sign in with a token that has the right “operate”."
    return Version(
        number=one.seq,
        content_id=one.content_id,
        created=one.created,
        how=_HOW.get(action, action or "published"),
        note="" if _ORDER_ID.fullmatch(note) else note.strip(),
        same_as=first if first != one.seq else None,
        live=one.seq == live.seq,
        held=one.pinned,
        refused=refused,
    )


def _sentence(live: Version, count: int, ago: str) -> str:
    said = f"{live.name} is in use, published {ago}"
    if live.same_as is not None:
        said += f", with the contents of version {live.same_as}"
    if live.held:
        return f"{said}. It is held: automatic updates stop until somebody releases the hold."
    if count == 1:
        return f"{said}. It is the only one so far; the first change appears after the next update."
    return f"{said}. Updates come by themselves."


def routes(site: "Site") -> list[Route]:
    """GET /console/versions with ?before=N&after=N (compare) or ?back=N (the form); POST /console/versions orders."""
    orders: OrderedDict[str, str] = OrderedDict()  # what became of the last orders, to be read once the browser has been sent on

    def show(request: Request) -> Response:
        return _page(site, request, said=orders.get(request.query_params.get("order", ""), ""))

    def order(request: Request, fields: Mapping[str, str]) -> Response:
        found = facts(site.backend.versions(), ago=_ago(site), may_operate=may(request, site, "operate"))
        action, problem = _checked(found, fields)
        if problem:
            return _page(site, request, problem=problem, fields=fields, status=422)
        version = found.find(_number(fields.get("number", ""))) or found.live
        assert version is not None, "checked above"
        try:
            said = site.backend.order(action, version.content_id, reason=fields["reason"].strip()[:REASON])
        except ForageError as error:
            live = f"{found.live.name} stays in use. " if found.live else ""
            return _page(site, request, problem=f"{live}{error}", fields=fields, status=409)
        key = site.new_id()
        orders[key] = said
        while len(orders) > ORDERS:
            orders.popitem(last=False)
        return RedirectResponse(f"/console/versions?order={key}", 303)

    return [Route("/console/versions", show), Route("/console/versions", posted(order), methods=["POST"])]


def _checked(found: Versions, fields: Mapping[str, str]) -> tuple[Order, str]:
    """The order that a form gives, and what is wrong with it, "" where nothing is."""
    action = fields.get("action", "")
    number = _number(fields.get("number", ""))
    version = found.find(number)
    if action == "unpin":
        problem = "" if found.held else "Nothing is held."
        return "unpin", problem or _reasoned(fields)
    if action != "rollback" or version is None:
        return "rollback", f"Version {fields.get('number', '')} is not kept any more; choose one of the list."
    if version.refused:
        return "rollback", version.refused
    if _number(fields.get("typed", "")) != number:
        return "rollback", f"Type {number} to say that you mean version {number}; you typed “{fields.get('typed', '')}”."
    return "rollback", _reasoned(fields)


def _reasoned(fields: Mapping[str, str]) -> str:
    return "" if fields.get("reason", "").strip() else "Say why, in a few words: it stands in the list for whoever comes after you."


def _number(text: str) -> int:
    """38 of "38", "v38" or "Version 38"; -1 of anything else."""
    digits = text.strip().lower().removeprefix("version").removeprefix("v").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else -1


def _page(
    site: "Site", request: Request, *, said: str = "", problem: str = "", fields: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    asked = dict(request.query_params) | dict(fields or {})
    operate = may(request, site, "operate")
    found = facts(site.backend.versions(), ago=_ago(site), may_operate=operate)
    before, after = _pair(found, asked)
    changed = compared(site, before, after) if before and after else None
    back = found.find(_number(asked.get("back", asked.get("number", ""))))
    return render(
        request, "versions.html", site=site, screen=Screen(QUESTION, found.sentence), status=status,
        facts=found, changed=changed, before=before, after=after, operate=operate, fields=asked, said=said, problem=problem,
        back=back if back is not None and not back.refused else None, ago=_ago(site), at=_at,
        releasing=asked.get("hold") == "release" or asked.get("action") == "unpin",
    )  # fmt: skip


def _pair(found: Versions, asked: Mapping[str, str]) -> tuple[Version | None, Version | None]:
    """The two versions to compare: those of the address, else the live one and the newest with other contents."""
    after = found.find(_number(asked.get("after", ""))) or found.live
    if after is None:
        return None, None
    other = [one for one in found.versions if one.content_id != after.content_id and one.number < after.number]
    return found.find(_number(asked.get("before", ""))) or next(iter(other), None), after


def _ago(site: "Site") -> Callable[[int], str]:
    return lambda ms: f"{duration((site.clock() - ms) / 1_000)} ago"


def _at(ms: int) -> str:
    """A moment as HTML's time element takes it."""
    return datetime.fromtimestamp(ms / 1_000.0, UTC).isoformat(timespec="seconds")


def compared(site: "Site", before: Version, after: Version) -> Difference:
    return difference((before.number, before.content_id), (after.number, after.content_id), content=site.backend.content)
