"""The union of several lists, and who found what."""

from collections.abc import Mapping, Sequence

from schemas.candidates import Candidate
from schemas.events import Source


def union(lists: Mapping[str, Sequence[Candidate]]) -> dict[str, list[Source]]:
    """Entity -> the strategies that found it with their rank (from 1) and score, by strategy name. Entities stand by id.

    >>> found = union({"memory": [Candidate("b", 0.5)], "lexical": [Candidate("a", 9.0), Candidate("b", 7.0)]})
    >>> [(entity, [(one.strategy, one.rank) for one in sources]) for entity, sources in found.items()]
    [('a', [('lexical', 1)]), ('b', [('lexical', 2), ('memory', 1)])]
    """
    found: dict[str, list[Source]] = {}
    for name in sorted(lists):
        for rank, one in enumerate(lists[name], 1):
            found.setdefault(one.entity_id, []).append(Source(strategy=name, rank=rank, score=one.score))
    return {entity_id: found[entity_id] for entity_id in sorted(found)}
