"""The conclusions on `search.outcomes`, into a publisher's finals; and the fits of models on them, which take seconds, beside the work."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock, Thread

from schemas.errors import InvalidMessage
from schemas.outcomes import Amendment, Outcome
from streams.publishing.concluding import conclusion_of
from streams.publishing.publisher import Fit, Fitted, Publisher
from streams.reading.follower import Incoming

REST = 4  # so that fits take a fifth of one core at most
DECODED = 100  # conclusions at a time


class OutcomesView:
    """Records of every partition, in any order, any of them again; in bounded memory. `lock` guards the publisher."""

    def __init__(self, publisher: Publisher, lock: Lock) -> None:
        self.refused = 0
        self.last_refusal = ""
        self._publisher, self._lock = publisher, lock

    def apply(self, records: Sequence[Incoming]) -> None:
        """Take records. They are decoded without the lock, as it is most of the work, and few at a time: they are large then."""
        for at in range(0, len(records), DECODED):
            found = list(self._decoded(records[at : at + DECODED]))
            with self._lock:
                self._publisher.conclude(found)

    def _decoded(self, records: Iterable[Incoming]) -> Iterator[Outcome | Amendment]:
        for record in records:
            try:
                one = conclusion_of(record.value, self._publisher.wants)
            except InvalidMessage as error:
                self.refused += 1
                self.last_refusal = f"partition {record.partition}, offset {record.offset}: {error}"
                continue
            if one is not None:
                yield one


class Fitter:
    """One fit at a time, in a thread of its own; after each a rest four times as long: with hundreds of searches a second a fit is always
    due, and on a core that is shared it would take what the work needs."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._thread: Thread | None = None
        self._fitted: Fitted | None = None
        self._clock, self._ended = clock, 0.0
        self.seconds = 0.0  # that the last fit took

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether a fit may begin."""
        return not self.busy and self._clock() >= self._ended + REST * self.seconds

    def start(self, fit: Fit) -> None:
        """Begin a fit; only when not busy."""
        assert not self.busy, "one fit at a time"
        self._thread = Thread(target=self._run, args=(fit,), name="forage-fit", daemon=True)  # a fit never delays an end
        self._thread.start()

    def result(self) -> Fitted | None:
        """What the fit that ended last gave, once."""
        if self.busy:
            return None
        fitted, self._fitted = self._fitted, None
        return fitted

    def _run(self, fit: Fit) -> None:
        began = self._clock()
        self._fitted = fit()
        self._ended = self._clock()
        self.seconds = self._ended - began
