"""Event time of a partition: what has passed."""

from collections.abc import Mapping

from streams.kernel.changes import INPUTS, Input


class Clock:
    """Record times of the two inputs: running maxima, since append times may step back. Nothing here reads a wall clock."""

    def __init__(self, times: Mapping[Input, int] | None = None) -> None:
        self.times: dict[Input, int] = {topic: (times or {}).get(topic, 0) for topic in INPUTS}

    def advance(self, topic: Input, time: int) -> int:
        """The record time of a record of `topic` with log time `time`."""
        self.times[topic] = max(self.times[topic], time)
        return self.times[topic]

    @property
    def watermark(self) -> int:
        """Every record with a smaller record time has been seen, in both inputs."""
        return min(self.times.values())
