"""Strategies of one's own: a function of one's own module makes them; here they are loaded, and held to the contract."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from memory_index.reader import MemoryReader
from retrievers.base import Retriever, ordered
from retrievers.catalog import Catalog
from schemas.candidates import Candidate, Request
from schemas.errors import InvalidSetting, NotFound, Unavailable

OUTSIDE = "outside"  # in place of module:function: an engine of one's own asks it, here it is only decided on and learned about


@dataclass(frozen=True)
class Own:
    """A strategy of one's own whose answers are made to keep the contract: (id, score) pairs come in any order and number, and leave
    it in the one total order, at most `depth`, each once, of the catalogue, with plain finite scores above zero."""

    name: str
    inner: Any
    catalog: Catalog

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        found = self.inner.retrieve(request, depth) if depth > 0 else ()
        return ordered(((str(entity), float(score)) for entity, score in found if entity in self.catalog), depth)


def places_of(entries: Iterable[str]) -> dict[str, str]:
    """Name -> module:function, or OUTSIDE, of the entries that have one."""
    return {name: place for name, _, place in (entry.partition("=") for entry in entries) if place}


def own_strategy(name: str, place: str, *, catalog: Catalog, reader: MemoryReader) -> Retriever:
    """What `function(catalog, memory)` of `module:function` makes. Modules are looked for in the working directory too.

    Raises NotFound (module or function), InvalidSetting (what it makes cannot be asked), Unavailable (it fails).
    """
    function = _function(name, place)
    try:
        made = function(catalog, reader)
    except Exception as error:
        raise Unavailable(f"{place}, which makes strategy {name}, failed: {error!r}; mend it, or leave {name} out") from error
    if not callable(getattr(made, "retrieve", None)):
        raise InvalidSetting(f"{place} made {type(made).__name__}, which has no retrieve(request, depth); see docs/strategies.md")
    return Own(name, made, catalog)


def _function(name: str, place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # last: a file of the working directory never stands in for an installed module
    try:
        found = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise NotFound(f"strategy {name}: no module {error.name}; run where it can be imported, or set PYTHONPATH") from error
    except Exception as error:
        raise Unavailable(f"strategy {name}: module {module} does not import: {error!r}; mend it, or leave {name} out") from error
    if not callable(found):
        raise NotFound(f"strategy {name}: module {module} has no function {attribute}; write name=module:function")
    return found  # type: ignore[no-any-return]
