"""Two answers to one search side by side: with the version in use, and with another way of answering."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from display.numbers import listed, plural
from learners.definition import DEFAULT_DEPTH
from learners.policy import Policy
from schemas.errors import NotFound
from serving.console.trying import Thing, thing
from serving.experiments import Mix
from serving.kept import Search
from serving.site import Site
from serving.view import View

FIXED_MIX, NO_MEMORY, EVERYBODY = "fixed-mix", "no-memory", "everybody"
READS_MEMORY = frozenset({"memory", "neighbours", "popular"})  # strategies that find what people chose


@dataclass(frozen=True)
class Side:
    """One item in a list. `other`: its place in the other list, None where it is not among its first ones."""

    thing: Thing
    place: int
    other: int | None

    @property
    def moved(self) -> int:
        """Places up against the other list; 0 also where that lacks it."""
        return 0 if self.other is None else self.other - self.place


@dataclass(frozen=True)
class Compared:
    """Both lists without page tests, and how they differ in a sentence."""

    key: str
    name: str
    a: Sequence[Side]
    b: Sequence[Side]
    only_a: int
    both: int
    only_b: int
    said: str


def choices(site: Site, group: str = "") -> list[tuple[str, str]]:
    """(key, label) of what the page of a shopper group can be compared with."""
    versions = {one.content_id: one for one in site.backend.versions()}
    in_use = site.backend.versions()[-1].content_id if versions else ""
    older = [(one.content_id, f"Version {one.seq}") for one in reversed([*versions.values()]) if one.content_id != in_use]
    whole = [(EVERYBODY, "all shopper groups")] if group else []
    return [(FIXED_MIX, "the fixed mix"), (NO_MEMORY, "no memory"), *whole, *older]


def compare(site: Site, search: Search, key: str) -> Compared:
    """The search answered by the version in use (A) and in another way (B), nothing of it recorded. Raises NotFound, CorruptFile."""
    name = dict(choices(site, search.request.segment)).get(key)
    if name is None:
        raise NotFound(f"nothing to compare with is called {key!r}; pick from the list: versions are kept for some days only")
    here = site.backend.view()
    whole = replace(search.request, segment="") if key == EVERYBODY else search.request
    a, b = (
        [one.entity_id for one in site.pipeline.search(request, view=view, record=False, explore=False).impression.results]
        for request, view in ((search.request, here), (whole, _other(site, here, key)))
    )
    return compared(key, name, a, b, lambda entity_id: thing(entity_id, here.catalog))


def _other(site: Site, here: View, key: str) -> View:
    if key == EVERYBODY:
        return here
    if key == FIXED_MIX:
        return replace(here, policy=Mix("rrf", dict.fromkeys(here.retrievers, DEFAULT_DEPTH)))
    if key == NO_MEMORY:
        kept = {name: one for name, one in here.retrievers.items() if name not in READS_MEMORY}
        return replace(here, memory=None, retrievers=kept or here.retrievers)
    seq = next(one.seq for one in site.backend.versions() if one.content_id == key)
    return replace(here, policy=Policy(site.backend.content(key), seq=seq))


def compared(key: str, name: str, a: Sequence[str], b: Sequence[str], named: Callable[[str], Thing]) -> Compared:
    """Two lists of ids side by side."""
    in_a, in_b = ({one: place for place, one in enumerate(ids, 1)} for ids in (a, b))
    both = len(in_a.keys() & in_b.keys())
    return Compared(
        key=key, name=name, a=_sides(a, in_b, named), b=_sides(b, in_a, named),
        only_a=len(a) - both, both=both, only_b=len(b) - both, said=_said(a, b, both, name),
    )  # fmt: skip


def _sides(ids: Sequence[str], other: Mapping[str, int], named: Callable[[str], Thing]) -> list[Side]:
    return [Side(named(one), place, other.get(one)) for place, one in enumerate(ids, 1)]


def _said(a: Sequence[str], b: Sequence[str], both: int, name: str) -> str:
    if list(a) == list(b):
        return f"Both lists are the same: for this search nothing that was learned differs from {name}." if a else "Both lists are empty."
    moved = sum(one != two for one, two in zip(a, b, strict=False))
    parts = [f"{plural(both, 'item')} on both"]
    if len(a) > both:
        parts.append(f"{len(a) - both} only in A")
    if len(b) > both:
        parts.append(f"{len(b) - both} only in B")
    return f"{listed(parts)}; {plural(moved, 'place')} of {max(len(a), len(b))} differ."
