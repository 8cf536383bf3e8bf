"""Who said it last: messages of compacted topics carry `src` = partition:epoch:seq, and what a former owner says late does not count."""

from collections.abc import Sequence

from schemas.errors import InvalidMessage

HEADER = "src"


def source_of(headers: Sequence[tuple[str, bytes]]) -> tuple[int, int, int]:
    """(source partition, epoch, seq) of a message. Raises InvalidMessage."""
    for name, value in headers:
        if name == HEADER:
            numbers = value.split(b":")
            if len(numbers) == 3 and all(number.isdigit() and len(number) <= 19 for number in numbers):
                return int(numbers[0]), int(numbers[1]), int(numbers[2])
            raise InvalidMessage("no source", [f"header {HEADER}: is {value!r:.80}, must be b'partition:epoch:seq'; send it again"])
    raise InvalidMessage("no source", [f"header {HEADER}: is missing; only workers may write to this topic"])


class Sources:
    """The highest (epoch, seq) of each source partition."""

    def __init__(self) -> None:
        self.highest: dict[int, tuple[int, int]] = {}

    def accept(self, source: int, epoch: int, seq: int) -> bool:
        """Whether this counts: False for what is below the highest (epoch, seq) of its source."""
        if (epoch, seq) < self.highest.get(source, (0, 0)):
            return False
        self.highest[source] = (epoch, seq)
        return True
