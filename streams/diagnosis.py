"""Why a broker could not be talked to: clients say only that they gave up. One connection by hand tells which step failed."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from streams.security import Security, is_tls, tls_context

PATIENCE = 2.0  # s for each step
ADDRESSES = 3  # of a long list, so many are tried
_VERSIONS, _SASL_HANDSHAKE = 18, 17  # request types of Kafka's protocol
_UNSUPPORTED_MECHANISM, _NO_SASL_HERE = 33, 34  # error codes of Kafka's protocol


def trouble(bootstrap: str, security: Security | None) -> str:
    """What failed at the last of the addresses and what to do, in one line; empty when one of them answers as it should.

    Raises InvalidSetting when certificates do not load.
    """
    found = ""
    for address in bootstrap.split(",")[:ADDRESSES]:
        found = _at(address.strip(), security or {})
        if not found:
            return ""
    return found


def _at(address: str, security: Security) -> str:
    context = tls_context(security) if is_tls(security) else None
    host, _, port = address.rpartition(":")
    try:
        with _connection(host, int(port), context) as connection:
            return _talk(connection, security)
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted ({error.verify_message}); give its CA's certificate (ssl_cafile, FORAGE_CA_FILE), and an "
            "address that stands in the broker's certificate"
        )
    except ssl.SSLError as error:
        reason = error.reason or "closed"
        if "CERTIFICATE" in reason:
            return (
                f"it does not accept our client certificate ({reason}); give one of a CA that it trusts (FORAGE_CERT_FILE, FORAGE_KEY_FILE)"
            )
        return f"no TLS with it ({reason}); is this the address of a listener with TLS?"
    except TimeoutError:
        return f"it did not answer within {PATIENCE:.0f} s; is it running, is the address right?"
    except OSError as error:
        return f"nobody answers ({error.strerror or type(error).__name__}); is it running, is the address right?"


@contextmanager
def _connection(host: str, port: int, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=PATIENCE) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname=host.rstrip(".")) as secured:
                yield secured


def _talk(connection: socket.socket, security: Security) -> str:
    protocol, mechanism = str(security.get("security_protocol", "PLAINTEXT")), security.get("sasl_mechanism")
    if len(_ask(connection, _VERSIONS, 0, b"")) < 6:
        return f"it does not speak Kafka's protocol with {protocol}; is this the address of a listener of that kind?"
    if not protocol.startswith("SASL"):
        return ""
    name = str(mechanism).encode()
    answer = _ask(connection, _SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name)
    code = int.from_bytes(answer[4:6], "big") if len(answer) >= 6 else _NO_SASL_HERE
    if code == _NO_SASL_HERE:
        return f"this listener has no SASL; give the address of a {protocol} listener, or another protocol"
    if code == _UNSUPPORTED_MECHANISM:
        return f"it does not take SASL mechanism {mechanism}; ask its operator which (sasl_mechanism, FORAGE_SASL_MECHANISM)"
    return ""


def _ask(connection: socket.socket, kind: int, version: int, body: bytes) -> bytes:
    """Send one request; its answer (correlation id, then the body), or nothing when the other side closes or answers something else."""
    message = struct.pack(">hhih", kind, version, 1, 6) + b"forage" + body
    connection.sendall(struct.pack(">i", len(message)) + message)
    size = struct.unpack(">i", head)[0] if len(head := _read(connection, 4)) == 4 else 0
    return _read(connection, size) if 0 < size < 1 << 20 else b""


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data
