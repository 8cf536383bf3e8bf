"""The topics that a worker's state hangs on, as they are now: ids change when a topic is made anew, partition counts when it grows."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from schemas.errors import ForageError, PartitionMismatch, StaleLog
from schemas.topics import INPUTS, MEMORY, SHARES
from streams.admin import describe_topics
from streams.clients import Security

EVERY = 10.0  # s between looks
ROWS = (MEMORY, SHARES)  # what was ever sent to them can be sent again, from the state


@dataclass(frozen=True)
class Topics:
    """Partition count of the inputs; ids by name of the inputs and of the topics of rows, as far as they exist."""

    partitions: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @classmethod
    def of(cls, bootstrap: str, *, security: Security | None = None) -> "Topics":
        """As the broker has them. Raises Unavailable."""
        states = {state.name: state for state in describe_topics(bootstrap, [one.name for one in (*INPUTS, *ROWS)], security=security)}
        inputs = {one.name: states[one.name] for one in INPUTS if one.name in states}
        outputs = {one.name: states[one.name].topic_id for one in ROWS if one.name in states}
        partitions = max((one.partitions for one in inputs.values()), default=0)
        return cls(partitions, {name: one.topic_id for name, one in inputs.items()}, outputs)

    def then(self, now: "Topics") -> "Topics":
        """What is known once the topics are as they are `now`; one that does not exist may come back. Raises StaleLog and
        PartitionMismatch when work may not go on."""
        for name in sorted(self.inputs.keys() & now.inputs.keys()):
            if self.inputs[name] != now.inputs[name]:
                raise StaleLog(
                    f"{name} was made anew while this worker ran (id {self.inputs[name]}, now {now.inputs[name]}); stop all workers, move "
                    "their folders and the state store away, then start them: they begin with the new topics"
                )
        if now.partitions > self.partitions:
            raise PartitionMismatch(
                f"the inputs have {now.partitions} partitions, this worker began with {self.partitions}: searches would be torn apart. "
                f"Stop all workers and run `forage topics migrate --partitions {now.partitions}`"
            )
        return Topics(self.partitions, {**self.inputs, **now.inputs}, {**self.outputs, **now.outputs})


class TopicsWatch:
    """Looks at the topics every ten seconds, in a thread that nobody waits for: a broker may take half a minute not to answer."""

    def __init__(self, bootstrap: str, *, security: Security | None = None) -> None:
        self.newest: Topics | None = None
        self._bootstrap, self._security = bootstrap, security
        threading.Thread(target=self._run, name="forage-topics", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            with suppress(ForageError):  # a certificate that is just being replaced, too: the next look says
                self.newest = Topics.of(self._bootstrap, security=self._security)
