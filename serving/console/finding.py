"""Why is this item not here? Which item is meant, and which stage lost it."""

from collections.abc import Mapping, Sequence

from schemas.entities import Entity

MOST = 6  # items to choose from


def meant(catalog: Mapping[str, Entity], text: str) -> Sequence[Entity]:
    """Items that somebody may mean by an id or part of a title: the exact ones first, then the shorter titles."""
    wanted = " ".join(text.casefold().split())
    if not wanted:
        return []
    if (exact := catalog.get(text.strip())) is not None:
        return [exact]
    found = [(len(one.title), one.entity_id, one) for one in catalog.values() if wanted in one.title.casefold()]
    return [one for _, _, one in sorted(found, key=lambda it: it[:2])[:MOST]]
