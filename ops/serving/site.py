"""A site out of its parts: what a server and its pages stand on, made from a backend and the settings."""

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ops.serving.metrics import exposition
from ops.settings import NAMES, Settings, is_loopback
from schemas.errors import InvalidSetting, Unavailable
from schemas.events import Impression
from serving.access import SCOPES, Access, Grant, Scope
from serving.asking import Together
from serving.backend import Backend
from serving.breakers import Breakers
from serving.kept import Kept
from serving.later import Later
from serving.live import Live
from serving.outcomes import OutcomeSums
from serving.pipeline import Pipeline
from serving.signing import Signer
from serving.site import Crowd, Limits, Site

ASKING = 8  # threads that ask strategies: two searches of four slow strategies at once
BUDGET_MS = 300.0  # that a search waits for its strategies: more is felt as waiting (Nielsen 1993: 0.1 s at once, 1 s unbroken thought)
SHADOWS, WAITING = 1, 1_000  # threads and room for what is asked after the page
KEY_BYTES = 32


@dataclass(frozen=True)
class Threads:
    """What a site started, to be ended with it."""

    asker: Together
    later: Later

    def close(self) -> None:
        """Finish what was put off; the impressions of those searches go out with it."""
        self.later.close()
        self.asker.close()


def site_and_threads(
    backend: Backend, config: Settings, *, name: str, crowd: Crowd | None, outcomes: OutcomeSums, candidates_p: float
) -> tuple[Site, Threads]:
    """The site, and what must be closed before its backend is. `outcomes` are the sums that the backend's `on_conclusion` adds to. Raises
    InvalidSetting."""
    breakers = Breakers(time.monotonic)
    live, threads = Live(_now), Threads(Together(ASKING, BUDGET_MS, breakers=breakers), Later(SHADOWS, WAITING))

    def emit(impression: Impression, ts: int) -> None:
        if not backend.emit(impression):
            live.refused("no_room")

    pipeline = Pipeline(
        backend.view, emit, clock=time.perf_counter, candidates_p=candidates_p, later=threads.later, asker=threads.asker
    )  # fmt: skip
    key = token_key(config)
    access = Access(key, grants_of(config))
    site = Site(
        name=name, backend=backend, pipeline=pipeline, kept=Kept(), live=live, outcomes=outcomes, signer=Signer(key),
        access=access, limits=limits_of(config, access), breakers=breakers, crowd=crowd, samples=exposition(backend, live, breakers),
        clock=_now, new_id=lambda: secrets.token_urlsafe(16),
    )  # fmt: skip
    return site, threads


def limits_of(config: Settings, access: Access) -> Limits:
    """An open server is for this machine alone: all its callers have one address, so none is counted by it."""
    return Limits(rate=0.0, origins=config.origins) if access.open else Limits(origins=config.origins)


def token_key(config: Settings) -> bytes:
    """The key that tokens are signed with: as set, else one of this data folder, made once, so that tokens outlive a restart."""
    if config.token_key:
        return config.token_key.encode()
    file = config.data / "token-key"
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as made:
                made.write(secrets.token_bytes(KEY_BYTES))
        key = file.read_bytes()
    except OSError as error:
        raise Unavailable(f"{file} cannot be used ({error.strerror}); set {NAMES['token_key']}, or give a folder to write to") from None
    if len(key) != KEY_BYTES:
        raise InvalidSetting(f"{file} has {len(key)} bytes, a key has {KEY_BYTES}; delete it: tokens of open pages are then void")
    return key


def grants_of(config: Settings) -> list[Grant]:
    """The API tokens of the file that is set: a line each, `NAME SHA256 SCOPE,SCOPE`; # begins a comment. Raises InvalidSetting."""
    if not config.api_tokens_file:
        return []
    path, grants = Path(config.api_tokens_file), list[Grant]()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{NAMES['api_tokens_file']} is {path}: does not read ({error}); write it with `forage token`") from None
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words and len(words) != 3:
            raise InvalidSetting(
                f"{path}, line {number}: has {len(words)} words, must be NAME SHA256 SCOPE,SCOPE; `forage token` prints it"
            )
        if words:
            grants.append(Grant(words[0], words[1].lower(), _scopes(words[2])))
    if len({one.name for one in grants}) != len(grants) or not grants:
        raise InvalidSetting(f"{path}: must hold at least one token, each under a name of its own; `forage token` prints a line")
    return grants


def check_exposed(host: str, *, open_: bool) -> None:
    """Raises InvalidSetting where everybody on a network could search, teach and give orders."""
    if open_ and not is_loopback(host):
        raise InvalidSetting(
            f"--host is {host}: a server without API tokens is for this machine alone; set {NAMES['api_tokens_file']} (`forage token` "
            "makes one), or leave --host out"
        )


def _scopes(text: str) -> Sequence[Scope]:
    return SCOPES if text == "all" else cast(Sequence[Scope], text.split(","))  # Grant refuses others


def _now() -> int:
    return int(time.time() * 1000)
