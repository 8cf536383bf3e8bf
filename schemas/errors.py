"""Everything Forage can refuse, as one tree. Each error names the value, the rule and the remedy.

ForageError
├── InvalidMessage      a message that breaks the schema: it is quarantined, never half applied
├── InvalidSetting      a setting or argument out of its range
├── CorruptFile         a snapshot, state file or log that fails its own checks: the last good one stays in use
├── StaleLog            the log no longer reaches what the state needs
├── PartitionMismatch   records, topics or assignments that do not line up by partition
├── Unavailable         a broker, file or library that is not there now
│   └── NotAllowed      who is there and does not let the caller: certificate, password, token or rights
└── NotFound            a snapshot, dataset or command that does not exist
"""


class ForageError(Exception):
    """Base of all errors raised on purpose; `str(error)` is written for the person who reads it."""


class InvalidMessage(ForageError):
    """A message breaks the schema. `problems` holds one line per field: field, rule, remedy."""

    def __init__(self, what: str, problems: list[str]):
        self.problems = problems
        super().__init__(f"{what}: " + "; ".join(problems))


class InvalidSetting(ForageError):
    """A setting or argument is out of its range."""


class CorruptFile(ForageError):
    """Bytes on disk or on a topic fail their own checks."""


class StaleLog(ForageError):
    """The log starts after the first offset that is still needed, or belongs to another topic."""


class PartitionMismatch(ForageError):
    """Partition counts, assignments or keys do not line up."""


class Unavailable(ForageError):
    """Something outside this process is not there now."""


class NotAllowed(Unavailable):
    """Who answers refuses this caller: trying again changes nothing until somebody mends certificate, password, token or rights."""


class NotFound(ForageError):
    """What was asked for by name does not exist."""
