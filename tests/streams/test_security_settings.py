"""What any client is given, and what a broker that does not answer as it should is said to do."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaTimeoutError, SaslAuthenticationFailedError, TopicAuthorizationFailedError

from schemas.errors import InvalidSetting, NotAllowed, Unavailable
from streams import diagnosis
from streams.access import acl_lines, rights
from streams.clients import REFUSED, RETRY, connect, retry_after, told, unavailable
from streams.diagnosis import trouble
from streams.producing.delivery import is_final
from streams.security import Secret, guarded, tls_context


def test_a_secret_is_text_that_is_not_shown():
    secret = Secret("canary")
    assert (secret, secret.encode(), len(secret)) == ("canary", b"canary", 6)
    assert f"{secret!r} {[secret]} { ({'a': secret}) }" == "'***' ['***'] {'a': '***'}"
    given = guarded({"sasl_plain_password": "canary", "ssl_password": "canary", "sasl_plain_username": "u", "ssl_cafile": "ca.pem"})
    assert "canary" not in repr(given)
    assert given["sasl_plain_password"] == "canary"
    assert guarded(None) == {}


def test_what_clients_print_of_their_configuration_holds_no_password(caplog):
    caplog.set_level(logging.DEBUG, logger="kafka")
    security = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "canary",
    }
    with pytest.raises(Unavailable):
        connect(KafkaAdminClient, "127.0.0.1:1", security=security, bootstrap_timeout_ms=100)
    assert "***" in caplog.text  # the configuration was printed
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("name", "rule"), [("ssl_cafile", "the CA file .* does not load"), ("ssl_certfile", "the client certificate .* key")]
)
def test_certificates_that_do_not_load_are_named(tmp_path, name, rule):
    path = tmp_path / "canary.pem"
    path.write_text("no certificate")
    for given in (path, tmp_path / "missing.pem"):
        with pytest.raises(InvalidSetting, match=rf"{rule}.*in PEM form") as refused:
            tls_context({name: str(given)})
        assert str(given) in str(refused.value)


@contextmanager
def listener(answer: bytes | None) -> Iterator[str]:
    """The address of one that answers any connection with these bytes and closes it, or (None) says nothing."""
    server, held = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            with suppress(OSError):  # the other side may be gone already
                if answer is not None:
                    connection.recv(1)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for one in held:
        one.close()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
def test_what_is_no_broker_is_unavailable_or_refused_with_a_remedy(protocol, answer, monkeypatch):
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.3)
    with listener(answer) as address:
        found = trouble(address, {"security_protocol": protocol})
    assert str(found).startswith(f"broker {address}: ")
    assert str(found).endswith("?")
    assert isinstance(found, NotAllowed) == (protocol == "SSL" and bool(answer))  # only that is an answer


def test_kafkas_refusals_become_ours_and_are_tried_rarely():
    refused = unavailable("b:1", TopicAuthorizationFailedError({"control"}))
    assert isinstance(refused, NotAllowed)
    assert "control" in str(refused)
    wrong = unavailable("b:1", SaslAuthenticationFailedError("no"), security={"sasl_plain_username": "u", "sasl_plain_password": "canary"})
    assert "'u'" in str(wrong)
    assert "canary" not in str(wrong)
    assert type(unavailable("b:1", KafkaTimeoutError())) is Unavailable
    assert [retry_after(one) for one in (refused, wrong, TopicAuthorizationFailedError(), KafkaTimeoutError(), OSError())] == [
        REFUSED
    ] * 3 + [RETRY] * 2
    assert told(OSError("x"), "b:1") == "OSError('x')"
    assert not any(map(is_final, (TopicAuthorizationFailedError(), SaslAuthenticationFailedError())))  # the event is not at fault


def test_acls_are_quoted_for_a_shell_and_named_after_the_group():
    (line, *_) = acl_lines("producer", "User:CN=a b; rm -rf /", bootstrap="kafka:9092")
    assert line == (
        "kafka-acls.sh --bootstrap-server kafka:9092 --command-config admin.properties --add --allow-principal 'User:CN=a b; rm -rf /' "
        "--operation Write --topic search.impressions"
    )
    assert [right.name for right in rights("worker", group="g") if right.kind == "group"] == ["g"]
    assert [right.name for right in rights("publisher", group="g") if right.kind == "group"] == ["g.publisher"]
    for principal in ("search", "User:", ":x", "User:a\nb"):
        with pytest.raises(InvalidSetting, match="write User:producer"):
            acl_lines("producer", principal, bootstrap="b:1")
