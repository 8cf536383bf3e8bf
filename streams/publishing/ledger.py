"""What the publisher decides: which publication comes next, and what `policy.snapshots` shall hold. No broker, no threads, no clock.

The ledger knows what the topic holds and what it shall hold; what is to be sent is always the difference. So a publication that was cut
off is finished by the next owner, and what a former owner writes late is written over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from learners.definition import Definition
from learners.gate import REFRESH, refusal
from learners.registry import KEEP_CONTENTS, KEEP_MS, find, last_of_hours, manifest_of
from schemas.codec import decode, encode
from schemas.errors import CorruptFile, ForageError, InvalidMessage, InvalidSetting, NotFound
from schemas.snapshots import CURRENT, HISTORY, PART, Command, Content, Joiner, Manifest, Part
from schemas.topics import POLICY
from streams.publishing.compacted import CompactedTopic, Keyed
from streams.reading.follower import Incoming
from streams.reading.policy_view import order

REFRESH_EVERY = 500  # ms: people cannot tell more often, and each one is kept by the broker until it compacts
KEEP_BYTES = 50_000_000  # of parts: every search process reads and holds them all
_CONFIGURED = "configured"  # key of the settings that were last adopted


class PolicyLedger:
    """`saw` the whole topic, `take_over`, then `obey` and `refresh`; `unsent` is what to send, `sent` what the broker acknowledged.

    `control` names the topic of commands in manifests: a manifest says up to which command it has obeyed, so that none is obeyed twice.
    `stored` gives a content that waits for its promotion, by content_id; it raises NotFound.
    """

    def __init__(self, configured: Definition, *, control: str, stored: Callable[[str], Content]) -> None:
        self.definition = configured  # what refreshes are fitted to
        self.running: Manifest | None = None
        self.epoch: int | None = None  # ours, once we took over
        self.fenced = False  # somebody took over from us: nothing may be sent any more
        self._configured, self._control, self._stored = configured, control, stored
        self._topic = CompactedTopic()
        self._kept: dict[int, Manifest] = {}  # by seq
        self._parts: dict[str, bytes] = {}
        self._ours: dict[str, bytes] = {}  # parts of what we published last
        self._obeyed: set[str] = set()
        self._mark, self._last_seq, self._refreshed = -1, 0, -REFRESH_EVERY
        self._adopted = False  # whether our settings were ever published; until then they replace what runs at the next refresh

    def saw(self, records: Iterable[Incoming]) -> None:
        """Records of the topic, our own included, in its order."""
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            self._topic.saw(key, record.value, record.offset)
            manifest = _manifest(key, record.value)
            if manifest is not None and self.epoch is not None and manifest.publisher_epoch > self.epoch:
                self.fenced = True

    def sent(self, message: Keyed, offset: int) -> None:
        """The broker acknowledged a message at this offset."""
        self._topic.saw(message.key, message.value, offset)

    def take_over(self, now: int) -> None:
        """Become the owner at wall time `now` (ms), once the whole topic was seen. The epoch is above all that was ever published."""
        values = self._topic.values()
        manifests = sorted(filter(None, (_manifest(key, value) for key, value in values.items())), key=order)
        self._parts = {key.removeprefix(PART): value for key, value in values.items() if key.startswith(PART)}
        self._kept = {one.seq: one for one in manifests}
        self.running = manifests[-1] if manifests else None
        self.epoch = max([now // 1_000, *(one.publisher_epoch + 1 for one in manifests)])
        self._last_seq = max(self._kept, default=0)
        self._mark = max((one.applied.get(self._control, [-1])[0] for one in manifests), default=-1)
        self._adopted = values.get(_CONFIGURED) == encode(self._configured)
        self._follow_running()
        self._forget()

    def unsent(self) -> list[Keyed]:
        """What to send, in this order, each acknowledged before the next: parts, the manifest that names them, the rest."""
        named = {sha for one in self._kept.values() for sha in one.parts}
        wanted = {f"{PART}{sha}": self._parts[sha] for sha in sorted(named & self._parts.keys())}
        wanted |= {CURRENT: encode(self.running)} if self.running is not None else {}
        wanted |= {f"{HISTORY}{seq}": encode(one) for seq, one in self._kept.items()}
        wanted |= {_CONFIGURED: encode(self._configured)} if self._adopted else {}
        return self._topic.unsent(wanted, ours=(PART, HISTORY))

    def due(self, now: int) -> bool:
        """Whether a refresh may be published."""
        return not (self.running is not None and self.running.pinned) and now - self._refreshed >= REFRESH_EVERY

    def refresh(self, content: Content, *, applied: Mapping[str, Sequence[int]], now: int) -> bool:
        """Publish newer evidence; False when there is none or it is not due. Raises InvalidSetting when the gate refuses it."""
        if not self.due(now):
            return False
        news = self.running is None or content.content_id != self.running.content_id
        if news:
            self._publish(content, applied=applied, reason=REFRESH, pinned=False, now=now)
            self._refreshed = now
        self._adopted = True
        return news

    def obey(self, command: Command, *, offset: int, now: int) -> bool:
        """Publish what a command asks for; False when it was obeyed before. Raises ForageError when it is refused, for good."""
        reason = _reason(command)
        if not self.pass_by(offset) or command.command_id in self._obeyed or any(one.reason == reason for one in self._kept.values()):
            return False
        self._obeyed.add(command.command_id)
        if command.action == "promote":
            self._promote(command.content_id, reason, now)
        elif command.action == "rollback":
            self._again(self._before(command.content_id), reason=reason, pinned=True, now=now)
        else:
            self._again(self._must_run(), reason=reason, pinned=command.action == "pin", now=now)
        return True

    def pass_by(self, offset: int) -> bool:
        """The command at this offset is dealt with; False when it already was."""
        new, self._mark = offset > self._mark, max(self._mark, offset)
        return new

    def content(self, manifest: Manifest) -> Content:
        """The content of a publication that is kept. Raises CorruptFile."""
        try:
            return Joiner().join(manifest, lambda sha: decode(Part, self._parts[sha]) if sha in self._parts else None)
        except InvalidMessage as error:
            raise CorruptFile(f"seq {manifest.seq}: {error}; roll back to another snapshot") from None

    # -- decisions --------------------------------------------------------------------------------------------------------

    def _promote(self, content_id: str, reason: str, now: int) -> None:
        running = self._must_run()
        if running.pinned:
            raise InvalidSetting(f"seq {running.seq} is pinned; `forage snapshots unpin` first, then promote {content_id[:12]}")
        try:
            content = self.content(find(self._list(), content_id, where=POLICY.name))
        except NotFound:
            content = self._stored(content_id)
        self._publish(content, applied=running.applied, reason=reason, pinned=False, now=now)
        self._adopted = True  # a promotion outranks settings that never ran
        self._follow_running()

    def _before(self, content_id: str) -> Manifest:
        """The publication to roll back to: by content_id, or the newest from before the running content was first published."""
        if content_id:
            return find(self._list(), content_id, where=POLICY.name)
        running = self._must_run()
        first = min(order(one) for one in self._kept.values() if one.content_id == running.content_id)
        if not (earlier := [one for one in self._list() if order(one) < first]):
            raise NotFound(f"nothing older than seq {running.seq} is kept; `forage snapshots list` shows what is")
        return earlier[-1]

    def _again(self, old: Manifest, *, reason: str, pinned: bool, now: int) -> None:
        self._publish(self.content(old), applied=old.applied, reason=reason, pinned=pinned, now=now)
        self._follow_running()

    def _publish(self, content: Content, *, applied: Mapping[str, Sequence[int]], reason: str, pinned: bool, now: int) -> None:
        assert self.epoch is not None, "take over first"
        carried = {name: at for name, at in (self.running.applied if self.running else {}).items() if name.startswith("control/")}
        manifest = manifest_of(
            content, seq=self._last_seq + 1, publisher_epoch=self.epoch, created=now, reason=reason, pinned=pinned,
            applied={**applied, **carried, self._control: [self._mark]},
        )  # fmt: skip
        if why := refusal(content, manifest, running=self.running):
            raise InvalidSetting(f"snapshot is not published: {why}")
        self._ours = {part.sha256: self._ours.get(part.sha256) or encode(part) for part in content.split()}
        self._parts |= self._ours
        self._kept[manifest.seq], self._last_seq, self.running = manifest, manifest.seq, manifest
        self._forget()

    def _follow_running(self) -> None:
        """Refreshes go on with the definition of what runs: a promoted one stays, one that was rolled back stays away."""
        if self.running is not None and self._adopted:
            try:
                self.definition = Definition.parse(self.content(self.running).definition["policy"])
            except (ForageError, KeyError, TypeError, ValueError):  # made by other code: ours goes on
                self.definition = self._configured

    def _forget(self) -> None:
        """Keep the publications of the last 20 contents, the last one of every hour for 10 days as far as their parts fit KEEP_BYTES, and
        the parts that they name."""
        newest_first = list(reversed(self._list()))
        contents = set(list(dict.fromkeys(one.content_id for one in newest_first))[:KEEP_CONTENTS])
        since = newest_first[0].created - KEEP_MS if newest_first else 0
        hours = last_of_hours(newest_first, since=since)
        named, hourly = {sha for one in newest_first if one.content_id in contents for sha in one.parts}, set[int]()
        room = KEEP_BYTES - self._size(named)
        for one in newest_first:
            if one.seq in hours and (room := room - self._size(more := set(one.parts) - named)) >= 0:
                hourly.add(one.seq)
                named |= more
        self._kept = {seq: one for seq, one in self._kept.items() if one.content_id in contents or seq in hourly}
        self._parts = {sha: value for sha, value in self._parts.items() if sha in named}

    def _size(self, parts: Iterable[str]) -> int:
        return sum(len(self._parts.get(sha, b"")) for sha in parts)

    def _list(self) -> list[Manifest]:
        return sorted(self._kept.values(), key=order)

    def _must_run(self) -> Manifest:
        if self.running is None:
            raise NotFound("nothing was published yet; wait for the first snapshot (`forage snapshots list`), then order again")
        return self.running


def _manifest(key: str, value: bytes | None) -> Manifest | None:
    if value is None or not (key == CURRENT or key.startswith(HISTORY)):
        return None
    try:
        return decode(Manifest, value)
    except InvalidMessage:  # written over or taken away by the next publication
        return None


def _reason(command: Command) -> str:
    """`ACTION:COMMAND_ID` as long as a label may be; a longer id by its digest."""
    name = command.command_id
    return f"{command.action}:{name if len(name) <= 100 else sha256(name.encode()).hexdigest()}"
