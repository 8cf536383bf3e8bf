"""Tokens of searches: who was answered may say what was done with that answer, nobody else, and not for ever."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from hashlib import blake2b

from schemas.errors import InvalidSetting, NotAllowed

HALF_HOUR_MS = 1_800_000  # an action counts so long after its page; a token that lives longer would promise what is not kept
SKEW_MS = 60_000  # by which the clock of the server that signed may be ahead: it signed all the same
_TIME, _ID, _MAC, _SHOWN = 6, 12, 16, 4  # bytes
_FIXED = _TIME + 2 * _ID + _MAC
_REMEDY = "send the token that /search answered with these results, unchanged"


class Signer:
    """Signs what a search was answered: search, client, time, and the entities shown. Nothing is stored: any process with the same
    key checks it. `key`: at least 16 bytes; with another key all tokens are forged ones. `ttl_ms`: how long a token is good.

    A token is base64url of time, keyed hashes of search and client (96 bits each, so that a refusal can say which is wrong), a MAC over
    these and what follows (128 bits), and of each shown entity a keyed hash (32 bits, not to be computed without the key).
    """

    def __init__(self, key: bytes, ttl_ms: int = HALF_HOUR_MS) -> None:
        if len(key) < 16:
            raise InvalidSetting(f"the key of tokens has {len(key)} bytes; use at least 16 random ones")
        self._key, self._ttl = blake2b(key, digest_size=32, person=b"forage tokens").digest(), ttl_ms

    def sign(self, search_id: str, client_id: str | None, ts: int, *, shown: Sequence[str] = ()) -> str:
        """Token for an answer at `ts` (wall ms); `shown`: ids of the entities on the page."""
        said = ts.to_bytes(_TIME, "big") + self._hash(b"search", search_id) + self._hash(b"client", client_id or "")
        tail = b"".join(self._shown(search_id, one) for one in shown)
        return urlsafe_b64encode(said + self._mac(said + tail) + tail).decode().rstrip("=")

    def check(self, token: str, *, search_id: str, client_id: str | None, now: int, entity_id: str | None = None) -> None:
        """Raises NotAllowed for a token that is forged, of another search or client, or expired; with `entity_id` also where that was
        not among the entities shown."""
        parsed = _parsed(token)
        said, mac, tail = parsed[: _TIME + 2 * _ID], parsed[_TIME + 2 * _ID : _FIXED], parsed[_FIXED:]
        if not hmac.compare_digest(mac, self._mac(said + tail)):
            raise NotAllowed(f"token: is forged, altered or of another server; {_REMEDY}")
        if said[_TIME : _TIME + _ID] != self._hash(b"search", search_id):
            raise NotAllowed(f"token: is of another search; {_REMEDY}")
        if said[_TIME + _ID :] != self._hash(b"client", client_id or ""):
            raise NotAllowed("token: is of another client; send the client_id that was searched with, or none if there was none")
        if not -SKEW_MS <= now - int.from_bytes(said[:_TIME], "big") <= self._ttl:
            raise NotAllowed(f"token: has expired, it is good for {self._ttl // 60_000} minutes; search again")
        if entity_id is not None and self._shown(search_id, entity_id) not in {
            tail[at : at + _SHOWN] for at in range(0, len(tail), _SHOWN)
        }:
            raise NotAllowed("token: the page it came with did not show this entity; send the token of the page that did")

    def _hash(self, what: bytes, name: str) -> bytes:
        return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_ID, key=self._key, person=what).digest()

    def _shown(self, search_id: str, entity_id: str) -> bytes:
        return blake2b(
            f"{len(search_id)} {search_id} {entity_id}".encode("utf-8", "surrogatepass"), digest_size=_SHOWN, key=self._key
        ).digest()

    def _mac(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=_MAC, key=self._key, person=b"mac").digest()


def _parsed(token: str) -> bytes:
    try:
        parsed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (ValueError, Error):
        parsed = b""
    if len(parsed) < _FIXED or urlsafe_b64encode(parsed).decode().rstrip("=") != token:
        raise NotAllowed(f"token: is no token; {_REMEDY}")
    return parsed
