"""Who may call: API tokens with scopes, known by their hash alone, and the console's cookie. Without tokens everything is open, which
`ops` allows on loopback only; the names that a browser may call it by are checked then."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Literal, get_args

from schemas.errors import InvalidSetting, NotAllowed

Scope = Literal["search", "events", "read", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
COOKIE = "forage_session"
SIGNED_IN_MS = 12 * 3_600_000  # a working day; who is still there signs in again
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Grant:
    """One API token: its name (for people and for counting), the sha256 of the token in hex, what it may do."""

    name: str
    sha256: str
    scopes: Collection[Scope]

    def __post_init__(self) -> None:
        if unknown := set(self.scopes) - set(SCOPES):
            raise InvalidSetting(f"token {self.name!r} has scopes {sorted(unknown)}; use some of {', '.join(SCOPES)}")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise InvalidSetting(f"token {self.name!r} must stand as the sha256 of the token in hex, 64 digits of 0-9 and a-f")


EVERYONE = Grant("", "0" * 64, SCOPES)  # who calls a server without tokens
NOBODY = Grant("", "0" * 64, ())  # who sends no token to a server that has some


@dataclass(frozen=True)
class Access:
    """`key` signs cookies (as the Signer's). `grants`: the API tokens; none: open. `hosts`: names under which an open server may be
    called (a page elsewhere whose name is bound to this address, DNS rebinding, sends its own name)."""

    key: bytes = field(repr=False)
    grants: Collection[Grant] = ()
    hosts: Collection[str] = LOOPBACK

    @property
    def open(self) -> bool:
        """Nobody needs a token."""
        return not self.grants

    def of(self, authorization: str | None, cookie: str | None, now: int) -> Grant:
        """Who calls, from the Authorization header, else from the console's cookie. Raises NotAllowed for a token that is not known."""
        if self.open:
            return EVERYONE
        if authorization is not None:
            kind, _, token = authorization.partition(" ")
            if kind.lower() != "bearer":
                raise NotAllowed("Authorization: must be an API token; send the header Authorization: Bearer TOKEN")
            return self._grant(sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest())
        return self._signed_in(cookie, now) if cookie else NOBODY

    def sign_in(self, token: str, now: int) -> str:
        """The value of the console's cookie for an API token. Raises NotAllowed for one that is not known, or may not look at anything:
        its cookie would leave people before a refusal, without a page to sign in anew."""
        grant = self._grant(sha256(token.strip().encode("utf-8", "surrogatepass")).hexdigest())
        if "read" not in grant.scopes:
            raise NotAllowed(f"the API token {grant.name!r} lacks the scope read; sign in with one that has it")
        said = bytes.fromhex(grant.sha256)[:16] + (now + SIGNED_IN_MS).to_bytes(6, "big")
        return urlsafe_b64encode(said + self._mac(said)).decode()

    def _grant(self, digest: str) -> Grant:
        found = [grant for grant in self.grants if hmac.compare_digest(grant.sha256, digest)]
        if not found:
            raise NotAllowed("this API token is not known here; ask the operator for one: `forage token` makes it")
        return found[0]

    def _signed_in(self, cookie: str, now: int) -> Grant:
        """Whose cookie it is; NOBODY for a false or old one: the page then asks to sign in."""
        try:
            plain = urlsafe_b64decode(cookie.encode("ascii"))
        except ValueError:
            return NOBODY
        said, mac = plain[:22], plain[22:]
        if len(said) < 22 or not hmac.compare_digest(mac, self._mac(said)) or int.from_bytes(said[16:], "big") < now:
            return NOBODY
        return next((grant for grant in self.grants if bytes.fromhex(grant.sha256)[:16] == said[:16]), NOBODY)

    def _mac(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=16, key=self.key[:64], person=b"forage cookies").digest()


def set_cookie(value: str, *, secure: bool) -> Mapping[str, str]:
    """The header that keeps (or, with an empty value, ends) a sign-in: not for scripts, not from other sites."""
    more = "; Secure" if secure else ""
    age = SIGNED_IN_MS // 1000 if value else 0
    return {"Set-Cookie": f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{more}"}
