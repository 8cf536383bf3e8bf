"""Why a broker could not be talked to: clients say only that they gave up. One connection by hand tells which step failed."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from kafka.net.sasl import get_sasl_mechanism

from schemas.errors import NotAllowed, Unavailable
from streams.security import Security, is_tls, tls_context

PATIENCE = 2.0  # s for each step
ADDRESSES = 3  # of a long list, so many are tried
_FILES = "ssl_certfile and ssl_keyfile (FORAGE_CERT_FILE, FORAGE_KEY_FILE)"
_CREDENTIALS = "sasl_plain_username and sasl_plain_password (FORAGE_SASL_USERNAME, FORAGE_SASL_PASSWORD)"
_METADATA, _SASL_HANDSHAKE, _VERSIONS, _SASL_AUTHENTICATE = 3, 17, 18, 36  # request types of Kafka's protocol
_UNSUPPORTED_MECHANISM = 33  # an error code of Kafka's protocol


def trouble(bootstrap: str, security: Security | None) -> Unavailable | None:
    """What failed at the last of the addresses, and what to do; None when one of them answers as it should.

    Raises InvalidSetting when certificates do not load.
    """
    found = None
    for address in bootstrap.split(",")[:ADDRESSES]:
        found = _at(address.strip(), security or {})
        if found is None:
            return None
    return found


def _at(address: str, security: Security) -> Unavailable | None:
    context = tls_context(security) if is_tls(security) else None
    host, _, port = address.rpartition(":")
    try:
        with _connection(host, int(port), context) as connection:
            refusal = _talk(connection, security)
    except ssl.SSLCertVerificationError as error:
        refusal = (
            f"its certificate is not trusted ({error.verify_message}); give its CA's certificate (ssl_cafile, FORAGE_CA_FILE), and an "
            "address that stands in the broker's certificate"
        )
    except ssl.SSLError as error:
        if isinstance(error, ssl.SSLEOFError):  # as any connection that ends: a broker that goes down does so too
            return Unavailable(f"broker {address}: closed the connection; is it running, is this the address of a listener with TLS?")
        refusal = f"no TLS with it ({error.reason or 'closed'}); is this the address of a listener with TLS?"
        if "CERTIFICATE" in (error.reason or ""):
            refusal = f"it does not accept our client certificate ({error.reason}); give one of a CA that it trusts, {_FILES}"
    except TimeoutError:
        return Unavailable(f"broker {address}: no answer within {PATIENCE:.0f} s; is it running, is the address right?")
    except OSError as error:
        protocol = security.get("security_protocol", "PLAINTEXT")
        return Unavailable(f"broker {address}: {error.strerror or error}; is it running, is this the address of a {protocol} listener?")
    return NotAllowed(f"broker {address}: {refusal}") if refusal else None


@contextmanager
def _connection(host: str, port: int, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=PATIENCE) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname=host.rstrip(".")) as secured:
                yield secured


def _talk(connection: socket.socket, security: Security) -> str:
    protocol = str(security.get("security_protocol", "PLAINTEXT"))
    _ask(connection, _VERSIONS, 0, b"")
    if protocol.startswith("SASL"):
        return _authenticate(connection, security)
    wanted = "SASL_SSL" if protocol == "SSL" else "SASL_PLAINTEXT"
    try:
        _ask(connection, _METADATA, 1, struct.pack(">i", 0))
    except ConnectionError:
        return f"this listener wants SASL; set {wanted}, with user and password"
    return ""


def _authenticate(connection: socket.socket, security: Security) -> str:
    protocol, mechanism, user = (str(security.get(name)) for name in ("security_protocol", "sasl_mechanism", "sasl_plain_username"))
    name = mechanism.encode()
    code, _ = _answered(_ask(connection, _SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name))
    if code == _UNSUPPORTED_MECHANISM:
        return f"it does not take SASL mechanism {mechanism}; ask its operator which (sasl_mechanism, FORAGE_SASL_MECHANISM)"
    if code:
        return f"this listener has no SASL; give the address of a {protocol} listener, or another protocol"
    exchange = get_sasl_mechanism(mechanism)(host="", **security)
    while not exchange.is_done():
        token = exchange.auth_bytes()
        code, rest = _answered(_ask(connection, _SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token))
        if code:
            return f"it does not let user {user!r} in; correct {_CREDENTIALS}, or add the user on the broker for {mechanism}"
        said = max(int.from_bytes(rest[:2], "big", signed=True), 0)  # length of the error's message, which is null here
        exchange.receive(rest[2 + said + 4 :])
    return "" if exchange.is_authenticated() else f"it could not prove that it knows the password of {user!r}; is it the right broker?"


def _answered(answer: bytes) -> tuple[int, bytes]:
    """Error code and what follows it."""
    return int.from_bytes(answer[4:6], "big", signed=True), answer[6:]


def _ask(connection: socket.socket, kind: int, version: int, body: bytes) -> bytes:
    """Send one request; its answer: correlation id, then the body. Raises ConnectionError when the other side does not speak so."""
    message = struct.pack(">hhih", kind, version, 1, 6) + b"forage" + body
    connection.sendall(struct.pack(">i", len(message)) + message)
    size = struct.unpack(">i", _read(connection, 4))[0]
    if not 6 <= size < 1 << 20:
        raise ConnectionError("does not speak Kafka's protocol")
    return _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := connection.recv(size - len(data))):
            raise ConnectionError("closed the connection")
        data += more
    return data
