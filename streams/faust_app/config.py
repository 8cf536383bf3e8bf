"""What a stream worker is told: read once at the edge, then frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.kernel.join import Rules


@dataclass(frozen=True)
class WorkerConfig:
    """`folder` holds the partitions' files. `state_store` is a URL or folder for checkpoints, None for none. `instance` is the name of
    this worker's slot: a restart under the same name gets its partitions back at once. `checkpoint_every` is in seconds.
    `from_log_start`: an empty partition may begin where the log begins now, although records before that were deleted; `from_time` (ms):
    at the first records of that time or later."""

    bootstrap: str
    folder: Path
    rules: Rules
    group: str = "forage"
    state_store: str | None = None
    instance: str | None = None
    from_log_start: bool = False
    from_time: int | None = None
    checkpoint_every: float = 120.0
    security: Mapping[str, object] = field(default_factory=dict, repr=False)
