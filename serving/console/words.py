"""What do the words mean?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.words import GLOSSARY, METHODS, TERMS
from serving.console.frame import Screen, render

if TYPE_CHECKING:
    from serving.site import Site


class Entry(NamedTuple):
    """One term. `anchor`: its name in an address, /console/words#ANCHOR. `code`: the two letters of a method."""

    anchor: str
    term: str
    label: str
    said: str
    code: str = ""


class Chapter(NamedTuple):
    """Terms that belong together."""

    anchor: str
    title: str
    entries: Sequence[Entry]


def facts() -> Sequence[Chapter]:
    """The whole dictionary. The terms of the first chapter are linked by their own names, all others by chapter and name."""
    methods = [Entry(one.term, one.term, one.label, one.said, one.code) for one in METHODS.values()]
    out = [Chapter("search-methods", "Search methods", methods)]
    for title, words in GLOSSARY.items():
        chapter = title.lower().replace(" ", "-")
        entries = [
            Entry(term if words is TERMS else f"{chapter}-{term or 'other'}", term, word.label, word.said) for term, word in words.items()
        ]
        out.append(Chapter(chapter, title, entries))
    return out


def routes(site: "Site") -> list[Route]:
    """GET /console/words."""

    def show(request: Request) -> Response:
        chapters = facts()
        terms = sum(len(one.entries) for one in chapters)
        screen = Screen("What do the words mean?", f"{terms} words: what screens say, and beside it what logs, settings and the API say.")
        return render(request, "words.html", site=site, screen=screen, chapters=chapters)

    return [Route("/console/words", show)]
