"""One time of being the publisher: follows the shares and the topic of policies, obeys, refreshes, sends what the ledger wants sent.

With models it follows the outcomes too. It does not wait for them: until all that are kept were read once, the models that were published
last go on.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from learners.definition import Definition
from learners.models import FinalsModel
from schemas.codec import decode, encode
from schemas.erasures import Erased, done_key
from schemas.errors import ForageError, InvalidMessage, Unavailable
from schemas.snapshots import Command, Content
from schemas.topics import CONTROL, ERASURES, OUTCOMES, POLICY, SHARES
from streams.admin import topic_ids
from streams.clients import DisposableProducer, Security, connect
from streams.erasing.requests import Requests
from streams.publishing.ledger import PolicyLedger
from streams.publishing.outcomes_view import Fitter, OutcomesView
from streams.publishing.shares_view import SharesView
from streams.publishing.status import PublisherStatus, Tally
from streams.reading.follower import Follower, Incoming

log = logging.getLogger(__name__)
SEND = 10_000  # ms that a message may take


class Turn:
    """From taking over to losing the group, or to the first error. One thread calls; the followers share `_lock` with it."""

    def __init__(
        self, bootstrap: str, *, definition: Definition, stored: Callable[[str], Content], models: Sequence[FinalsModel] = (),
        tally: Tally | None = None, security: Security | None = None,
    ) -> None:  # fmt: skip
        control, source = _named(bootstrap, security=security)
        self._ledger = PolicyLedger(definition, control=control, stored=stored)
        self._shares = SharesView(definition, models, topic=source)
        self._anew = threading.Event()  # a topic of ours was made anew
        self._lock = threading.Lock()
        self._outcomes, self._fitter = OutcomesView(self._shares.publisher, self._lock), Fitter()
        self._waiting: list[Incoming] = []
        self._said, self._complained = "", 0
        self._tally = tally or Tally()
        self._producer: Any = connect(
            DisposableProducer, bootstrap, security=security, enable_idempotence=False, acks="all", max_in_flight_requests_per_connection=1,
            delivery_timeout_ms=SEND, request_timeout_ms=SEND // 2, max_block_ms=SEND // 2, bootstrap_timeout_ms=2_000,
            allow_auto_create_topics=False,
        )  # fmt: skip
        self._followers = [
            Follower(bootstrap, topic.name, handle=partial(self._take, handle), anew=self._anew.set, security=security)
            for topic, handle in ((POLICY, self._ledger.saw), (SHARES, self._shares.apply))
        ]
        self._requests, self._erased, self._owed = Requests(), dict[int, int](), dict[int, int]()
        self._erasures = Follower(bootstrap, ERASURES.name, handle=partial(self._take, self._requests.take), security=security)
        self._concluded = [Follower(bootstrap, OUTCOMES.name, handle=self._conclude, security=security)] if models else []

    def step(self, commands: list[Incoming], now: int) -> int | None:
        """Obey, refresh, send; the offset of the last command that is dealt with. Raises KafkaError; Unavailable when fenced, and
        when a topic was made anew."""
        self._waiting += commands
        if self._anew.is_set():
            raise Unavailable(f"{POLICY.name} or {SHARES.name} was made anew; what is there now is read from its start")
        if not all(one.wait(0.0) for one in (*self._followers, self._erasures)):
            return None
        with self._lock:
            if self._ledger.epoch is None:
                self._ledger.take_over(now)
                self._shares.define(self._ledger.definition)
                self._carry()
                log.info("publishing with epoch %s, after seq %s", self._ledger.epoch, self._ledger.running and self._ledger.running.seq)
        done = None
        while self._waiting:
            with self._lock:
                self._obey(self._waiting[0], now)
            self._send()
            done = self._waiting.pop(0).offset
        with self._lock:
            self._erase()
            self._fit()
            refreshed = self._refresh(now)
        self._send()
        if refreshed and self._owed and not self._fitter.busy and all(one.wait(0.0) for one in self._concluded):
            self._tell_erased(now)
        return done

    def status(self) -> PublisherStatus:
        """How it stands now."""
        with self._lock:
            running, finals = self._ledger.running, len(self._shares.publisher.finals)
            names, heard = (POLICY.name, SHARES.name, OUTCOMES.name), [one.progress() for one in self._followers + self._concluded]
            return PublisherStatus(
                active=self._ledger.epoch is not None, published=self._tally.published, refused=self._tally.refused,
                fit_seconds=self._tally.fit_seconds, seq=running.seq if running else 0, created=running.created if running else 0,
                finals=finals, lag={name: one.lag for name, one in zip(names, heard, strict=False)},
                silent=max(one.silent for one in heard),
            )  # fmt: skip

    def close(self) -> None:
        """Stop following; what was not sent is found by the next owner."""
        for one in [*self._followers, *self._concluded, self._erasures]:
            one.close()
        self._producer.close(timeout=0.2)

    def _take(self, handle: Callable[[list[Incoming]], None], records: list[Incoming]) -> None:
        with self._lock:
            handle(records)

    def _conclude(self, records: Sequence[Incoming]) -> None:
        self._outcomes.apply(records)
        if self._outcomes.refused > 2 * self._complained:  # the first, then ever more rarely
            self._complained = self._outcomes.refused
            log.error("%d conclusions so far are refused, the last: %s", self._outcomes.refused, self._outcomes.last_refusal)

    def _carry(self) -> None:
        """Go on with what the models learned before we took over, or before what runs now was promoted."""
        try:
            if self._ledger.running is not None:
                self._shares.publisher.keep(self._ledger.content(self._ledger.running))
        except ForageError as error:
            log.warning("models begin anew: %s", error)

    def _fit(self) -> None:
        """Take what was fitted, begin what is due."""
        if (fitted := self._fitter.result()) is not None:
            self._shares.publisher.take(fitted)
            self._tally.fit_seconds = self._fitter.seconds
        if self._fitter.ready and all(one.wait(0.0) for one in self._concluded) and (fit := self._shares.publisher.due()) is not None:
            log.info("models are fitted to %d finals, of %d seen", len(self._shares.publisher.finals), self._shares.publisher.finals.count)
            self._fitter.start(fit)

    def _erase(self) -> None:
        """Models are fitted anew without finals of erased people."""
        new = {client: until for client, until in self._requests.until.items() if until > self._erased.get(client, -1)}
        if new:
            self._erased |= new
            self._owed |= new
            self._shares.publisher.erase({f"{client:016x}": until for client, until in new.items()})

    def _tell_erased(self, now: int) -> None:
        """The policy in use is fitted without them: say so, once for each request."""
        told = {client: said.until for (by, client), said in self._requests.done.items() if by == "publisher"}
        owed = {f"{client:016x}": until for client, until in self._owed.items()}
        for client, until in owed.items():
            if told.get(client, -1) < until:
                said = Erased(client=client, until=until, by="publisher", at=now)
                self._producer.send(ERASURES.name, encode(said), done_key("publisher", client).encode(), partition=0)
        self._owed.clear()

    def _obey(self, record: Incoming, now: int) -> None:
        try:
            command = decode(Command, record.value)
        except InvalidMessage as error:
            self._ledger.pass_by(record.offset)
            self._tally.refused += 1
            log.error("a command at offset %d is refused: %s", record.offset, error)
            return
        try:
            obeyed = self._ledger.obey(command, offset=record.offset, now=now)
        except ForageError as error:
            self._tally.refused += 1
            log.error("command %s (%s) is refused: %s", command.command_id, command.action, error)
        else:
            self._tally.published += obeyed
            done = "is obeyed" if obeyed else "was obeyed before"
            log.info("command %s (%s) %s; its reason: %s", command.command_id, command.action, done, command.reason or "none given")

    def _refresh(self, now: int) -> bool:
        """Publish what changed; whether the policy is as of now."""
        if not self._ledger.due(now):
            return False
        try:
            if self._shares.define(self._ledger.definition):
                self._carry()
            content = self._shares.content(self._ledger.definition)
            self._tally.published += self._ledger.refresh(content, applied=self._shares.applied, now=now)
            self._said = ""
        except ForageError as error:
            if str(error) != self._said:
                self._tally.refused += 1
                log.error("no refresh, the running policy stays: %s", error)
            self._said = str(error)
        return not self._said

    def _send(self) -> None:
        with self._lock:
            if self._ledger.fenced:
                raise Unavailable("another publisher has taken over with a higher epoch; this one waits for its turn")
            unsent = self._ledger.unsent()
        for message in unsent:
            sent = self._producer.send(POLICY.name, message.value, message.key.encode(), partition=0).get(timeout=SEND / 1000)
            with self._lock:
                self._ledger.sent(message, sent.offset)


def _named(bootstrap: str, *, security: Security | None) -> tuple[str, str]:
    """Topics of commands and of shares, with their ids, as manifests name them."""
    ids = topic_ids(bootstrap, [CONTROL.name, SHARES.name], security=security)
    return f"{CONTROL.name}/{ids.get(CONTROL.name, '')}", f"{SHARES.name}/{ids.get(SHARES.name, '')}"
