"""The check before a snapshot is published, and again before a consumer uses it.

A refresh (same definition, newer evidence) must be whole, finite, readable by this code and not older than what runs. A rollback, a
promotion or a pin is somebody's decision: it must be whole, and may well be older.
"""

from learners.arrays import unpack
from learners.models import theta_of
from learners.policy import Policy
from schemas.errors import ForageError
from schemas.snapshots import Content, Manifest

REFRESH = "refresh"


def refusal(content: Content, manifest: Manifest, *, running: Manifest | None = None) -> str | None:
    """None when the snapshot is accepted, else why it is not and what to do; the running one then stays in use."""
    if content.content_id != manifest.content_id:
        return f"seq {manifest.seq}: the content is not the one that the manifest names; publish again"
    if why := unusable(content):
        return f"seq {manifest.seq}: {why}"
    return behind(manifest, running) if running is not None and manifest.reason == REFRESH else None


def unusable(content: Content) -> str | None:
    """Why this code cannot run a content, or None."""
    try:
        for name, array in content.arrays.items():  # also what this code's policy does not read
            unpack(array, what=name)
        theta_of(content, Policy(content, seq=0).definition)
    except ForageError as error:
        return str(error)
    except (ValueError, KeyError, TypeError) as error:  # includes LinAlgError: a covariance that is none
        return f"the content makes no policy ({error!r}); keep the running one and publish again"
    return None


def behind(manifest: Manifest, running: Manifest) -> str | None:
    """Why a refresh holds less than what runs: a source is missing or its applied offsets are lower.

    Sources are named TOPIC/ID/PARTITION, since offsets belong to topics by id: one of a topic that was made anew replaces the old one.
    """
    for source, offsets in sorted(running.applied.items()):
        have = manifest.applied.get(source)
        if have is None and any(_replaces(new, source) for new in manifest.applied):
            continue
        if have is None or len(have) != len(offsets) or any(new < old for new, old in zip(have, offsets, strict=False)):
            return (
                f"seq {manifest.seq}: source {source} applied up to {have}, the running seq {running.seq} up to {offsets}; "
                "wait until the publisher has read that source again"
            )
    return None


def _replaces(new: str, old: str) -> bool:
    """Whether both name the same partition of a topic, under two ids."""
    one, other = new.split("/"), old.split("/")
    return len(one) == len(other) == 3 and (one[0], one[2]) == (other[0], other[2]) and one[1] != other[1]
