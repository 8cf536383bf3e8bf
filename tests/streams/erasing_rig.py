"""One partition as a worker owns it, with topics that are lists: records in, erasures noted, looked up, taken away, purged; any crash."""

from functools import partial
from pathlib import Path

from schemas.codec import decode
from schemas.erasures import Erased
from schemas.ids import client_hash
from schemas.topics import ERASURES, OUTCOMES
from streams.erasing.eraser import Task, accept, finish, look, ready, take_away, task
from streams.faust_app.owner import Owner
from streams.kernel.changes import Outgoing, Record
from streams.kernel.join import Rules
from streams.kernel.share import Share, digest_state
from streams.partition_store import KEEP_SENT, PartitionStore
from tests.streams.searchbox import RULES

NOW = 1_800_000_000_000


def hashed(client: str, rules: Rules = RULES) -> int:
    return client_hash(client, rules.client_key)


class Rig:
    """`topics` holds what the broker took. `now` is wall time in ms."""

    def __init__(self, path: Path, *, rules: Rules = RULES) -> None:
        self.path, self.rules, self.now = path, rules, NOW
        self.topics: dict[str, list[Outgoing]] = {}
        self.requests: dict[int, int] = {}
        self.own()

    def own(self) -> None:
        self.owner = Owner(PartitionStore.open(self.path, 0, 1), self.rules, now=self.now)
        self.note()

    def note(self) -> None:
        self.owner.change(partial(accept, requests=self.requests))

    def crash(self) -> None:
        """The process ends; what was sent and not marked is sent again."""
        self.owner.store.close()
        self.own()

    def apply(self, records: list[Record]) -> None:
        self.now += 50
        self.owner.apply(records, self.now)

    def send(self) -> None:
        """Everything is sent and acknowledged."""
        self.now += 60_000
        for message in self.owner.take(self.now):
            self.topics.setdefault(message.topic, []).append(message)
        self.owner.sent(self.now)
        self.owner.mark()

    def erase(self, client: str, until: int) -> None:
        self.requests[hashed(client, self.rules)] = until
        self.note()

    def outcomes(self) -> list[bytes]:
        return [one.value for one in self.topics.get(OUTCOMES.name, ()) if one.value is not None]

    def look(self) -> tuple[Task, object] | None:
        given = task(self.owner.store, self.owner.kernel)
        return None if given is None else (given, look(given, self.outcomes(), self.rules))

    def take_away(self) -> int:
        """What is due is taken away; how many searches that were."""
        if (one := self.look()) is None:
            return 0
        given, found = one
        self.owner.change(partial(take_away, given=given, found=found, now=self.now))
        return len(found.searches)

    def tidy(self) -> bool:
        """What a checkpoint does; whether an erasure was finished."""
        self.owner.compact(self.now)
        if not (some := ready(self.owner.store, self.now)):
            return False
        self.owner.store.purge(self.now)
        self.owner.change(partial(finish, some=some, now=self.now))
        return True

    def pass_ten_minutes(self) -> None:
        self.now += KEEP_SENT + 1

    def told(self) -> list[Erased]:
        """What was said about erasures, the last of each person."""
        last = {one.key: one.value for one in self.topics.get(ERASURES.name, ())}
        return [decode(Erased, value) for value in last.values()]

    def digest(self) -> dict[str, str]:
        """Of the state without what was quarantined: those messages stay where they are, whoever sent them."""
        share = self.owner.store.share()
        concluded = {name: one for name, one in share.sets.items() if name in ("final", "amendment")}
        return digest_state([Share(share.memory, share.tallies, concluded)], [self.owner.kernel])
