"""Publications of the embedded loop: which version runs, which definition is learned, and orders about both."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from learners.definition import Definition
from learners.registry import Registry
from memory_index.durable import write_then_rename
from schemas.codec import encode
from schemas.errors import ForageError, InvalidSetting, NotFound
from schemas.snapshots import Content, Manifest
from serving.backend import Order

CONFIGURED = "configured.json"  # the settings that were last adopted


class Publishing:
    """One caller at a time. `definition` is what is learned: that of what runs, so that a promoted one stays and one that was rolled back
    stays away; the configured one when it is new, or when nothing runs."""

    def __init__(self, folder: Path, configured: Definition) -> None:
        self._registry, self._folder, self._configured = Registry(folder), folder, configured
        file = folder / CONFIGURED
        self._adopted = file.is_file() and file.read_bytes() == encode(configured)
        self.definition = configured
        self._follow()

    @property
    def pinned(self) -> bool:
        """Whether refreshes are held."""
        return self._registry.current is not None and self._registry.current.pinned

    def list(self) -> Sequence[Manifest]:
        """Oldest first."""
        return self._registry.list()

    def content(self, content_id: str) -> Content:
        """By the whole id or its beginning. Raises NotFound, CorruptFile."""
        try:
            return self._registry.content(self._registry.find(content_id).content_id)
        except NotFound:
            return self._registry.content(content_id)  # one that waits to be promoted

    def running(self) -> tuple[Manifest, Content] | None:
        """What runs; None before the first publication. The newest that verifies: a damaged file costs its version, not the service."""
        return self._registry.load() if self._registry.current is not None else None

    def refresh(self, content: Content, *, applied: Mapping[str, Sequence[int]], now: int) -> Manifest | None:
        """Publish newer evidence; None when it is what runs. Raises InvalidSetting while pinned or refused by the gate, Unavailable."""
        current = self._registry.current
        manifest = None
        if current is None or current.content_id != content.content_id:
            manifest = self._registry.publish(content, created=now, applied=applied)
        self._adopt()
        return manifest

    def order(self, action: Order, content_id: str, *, reason: str, now: int) -> tuple[Manifest, Content]:
        """Obey; what then runs. Raises NotFound, InvalidSetting, CorruptFile, Unavailable."""
        registry = self._registry
        if action == "promote":
            manifest = registry.promote(self.content(content_id).content_id, created=now, why=reason)
            self._adopt()
        elif action == "rollback":
            manifest = registry.rollback(content_id or self._before(), created=now, why=reason)
        elif action == "pin":
            manifest = registry.pin(created=now, why=reason)
        elif action == "unpin":
            manifest = registry.unpin(created=now, why=reason)
        else:
            raise InvalidSetting(f"order {action!r} is none; use promote, rollback, pin or unpin")
        self._follow()
        return manifest, registry.content(manifest.content_id)

    def _before(self) -> str:
        """The content that ran before the one that runs was first published."""
        listed, current = self._registry.list(), self._registry.current
        first = next((at for at, one in enumerate(listed) if current is not None and one.content_id == current.content_id), 0)
        if not first:
            raise NotFound("no older version is kept, so there is nothing to roll back to; versions come as searches are answered")
        return listed[first - 1].content_id

    def _adopt(self) -> None:
        """Our settings have run, or were outranked by a promotion."""
        if not self._adopted:
            write_then_rename(self._folder / CONFIGURED, lambda path: path.write_bytes(encode(self._configured)))
            self._adopted = True

    def _follow(self) -> None:
        current = self._registry.current
        if current is not None and self._adopted:
            try:
                self.definition = Definition.parse(self._registry.content(current.content_id).definition["policy"])
            except (ForageError, KeyError, TypeError, ValueError):  # made by other code: ours goes on
                self.definition = self._configured
