"""Settings: the environment read once."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from ops.settings import NAMES, SECRET_FILES, Settings, is_loopback, read
from schemas.errors import InvalidSetting
from streams.faust_app.config import WorkerConfig
from streams.kernel.join import RULES
from streams.security import guarded


def test_an_empty_environment_gives_the_defaults():
    assert read({}) == read({"FORAGE_BOOTSTRAP": ""}) == Settings()
    assert (Settings().bootstrap, Settings().data, Settings().state_store, Settings().group) == (
        "127.0.0.1:9092",
        Path("var"),
        "",
        "forage",
    )
    assert Settings().security == {}


def test_every_setting_has_a_name_and_there_are_few():
    assert set(NAMES) == {field.name for field in fields(Settings)}
    assert len(NAMES) <= 21


def test_what_is_set_is_read(tmp_path):
    ca, cert, key = (tmp_path / f"{name}.pem" for name in ("ca", "cert", "key"))
    for path in (ca, cert, key):
        path.write_text("x")
    found = read(
        {
            "FORAGE_BOOTSTRAP": "one:9092,two:9093", "FORAGE_DATA_DIR": "/srv/forage", "FORAGE_STATE_STORE": "s3://bucket/x",
            "FORAGE_GROUP": "g", "FORAGE_INSTANCE": "w1", "FORAGE_CLIENT_KEY": "k", "FORAGE_SECURITY_PROTOCOL": "SASL_SSL",
            "FORAGE_CA_FILE": str(ca), "FORAGE_SASL_MECHANISM": "PLAIN", "FORAGE_SASL_USERNAME": "u", "FORAGE_SASL_PASSWORD": "p",
            "FORAGE_STRATEGIES": "lexical, memory", "FORAGE_ENCODER": "/srv/model", "FORAGE_CERT_FILE": str(cert),
            "FORAGE_KEY_FILE": str(key), "FORAGE_ALLOW_PLAINTEXT": "yes",
        }
    )  # fmt: skip
    assert found == Settings(
        bootstrap="one:9092,two:9093", data=Path("/srv/forage"), state_store="s3://bucket/x", group="g", instance="w1", client_key="k",
        security_protocol="SASL_SSL", allow_plaintext="yes", ca_file=str(ca), cert_file=str(cert), key_file=str(key),
        sasl_mechanism="PLAIN", sasl_username="u", sasl_password="p", strategies=("lexical", "memory"), encoder="/srv/model",
    )  # fmt: skip
    assert found.security == {
        "security_protocol": "SASL_SSL", "ssl_cafile": str(ca), "ssl_certfile": str(cert), "ssl_keyfile": str(key),
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u", "sasl_plain_password": "p",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("FORAGE_BOOTSTRAP", "localhost", "write 127.0.0.1:9092"),
        ("FORAGE_BOOTSTRAP", "a:1,b:99999", "host:port"),
        ("FORAGE_BOOTSTRAP", "kafka://a:1", "host:port"),
        ("FORAGE_STRATEGIES", "lexical,Memory", "small letters"),
        ("FORAGE_STRATEGIES", "lexical,lexical", "each once"),
        ("FORAGE_STRATEGIES", ",", "at least one"),
        ("FORAGE_SECURITY_PROTOCOL", "TLS", "one of PLAINTEXT, SSL"),
        ("FORAGE_SECURITY_PROTOCOL", "SASL_SSL", "set PLAIN"),
        ("FORAGE_SASL_MECHANISM", "PLAIN", "to SASL_SSL"),
        ("FORAGE_CA_FILE", "/nowhere.pem", "SSL or SASL_SSL"),
        ("FORAGE_CERT_FILE", "/nowhere.pem", "SSL or SASL_SSL"),
        ("FORAGE_KEY_FILE", "/nowhere.pem", "FORAGE_CERT_FILE"),
        ("FORAGE_ALLOW_PLAINTEXT", "true", "must be yes"),
        ("FORAGE_SASL_PASSWORD_FILE", "/nowhere", "may read"),
        ("FORAGE_CLIENT_KEY", "x" * 65, "shorter"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_remedy(name, value, remedy):
    with pytest.raises(InvalidSetting, match=remedy) as refused:
        read({name: value})
    assert "FORAGE_" in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [
        ({"FORAGE_SECURITY_PROTOCOL": "SSL", "FORAGE_CA_FILE": "/nowhere.pem"}, "no such file.*PEM"),
        ({"FORAGE_SECURITY_PROTOCOL": "SASL_SSL", "FORAGE_SASL_MECHANISM": "GSSAPI"}, "one of PLAIN, SCRAM"),
        ({"FORAGE_SECURITY_PROTOCOL": "SASL_SSL", "FORAGE_SASL_MECHANISM": "PLAIN", "FORAGE_SASL_USERNAME": "u"}, "PASSWORD; set both"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(environment, remedy):
    with pytest.raises(InvalidSetting, match=remedy):
        read(environment)


@pytest.mark.parametrize("field", SECRET_FILES)
def test_a_secret_may_stand_in_a_file_and_only_there(field, tmp_path):
    mounted = tmp_path / "secret"
    sasl = {"FORAGE_SECURITY_PROTOCOL": "SASL_SSL", "FORAGE_SASL_MECHANISM": "PLAIN", "FORAGE_SASL_USERNAME": "u"}
    environment = {SECRET_FILES[field]: str(mounted)} | (sasl if field == "sasl_password" else {})
    mounted.write_text(" s3cret of a server \n")
    assert getattr(read(environment), field) == " s3cret of a server "  # blanks may belong to it, the end of the line does not
    with pytest.raises(InvalidSetting, match="are both set: one secret, one place; unset one") as refused:
        read(environment | {NAMES[field]: "canary"})
    assert "canary" not in str(refused.value)
    assert "s3cret" not in str(refused.value)
    mounted.write_text("\n")
    with pytest.raises(InvalidSetting, match="is empty; write the secret into it"):
        read(environment)
    mounted.write_bytes(b"\xff")
    with pytest.raises(InvalidSetting, match="no UTF-8"):
        read(environment)


def test_what_is_printed_of_settings_holds_no_secret():
    found = read(
        {
            "FORAGE_CLIENT_KEY": "canary-key", "FORAGE_SASL_PASSWORD": "canary-password", "FORAGE_SASL_USERNAME": "u",
            "FORAGE_SECURITY_PROTOCOL": "SASL_SSL", "FORAGE_SASL_MECHANISM": "PLAIN",
        }
    )  # fmt: skip
    config = WorkerConfig(found.bootstrap, found.data, replace(RULES, client_key=found.client_key.encode()), security=found.security)
    told = f"{found} {config} {config.rules} {guarded(found.security)}"
    assert "canary" not in told
    assert "'***'" in told


def test_loopback_is_this_host_and_nothing_else():
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.53", "::1", "localhost")))
    assert not any(map(is_loopback, ("kafka", "10.0.0.1", "0.0.0.0", "localhost.example.org", "")))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_nothing_leaves_this_host_unencrypted_unless_that_is_allowed(protocol):
    sasl = {"FORAGE_SASL_MECHANISM": "PLAIN", "FORAGE_SASL_USERNAME": "u", "FORAGE_SASL_PASSWORD": "p"}
    environment = {"FORAGE_SECURITY_PROTOCOL": protocol, **(sasl if protocol != "PLAINTEXT" else {})}
    assert read(environment | {"FORAGE_BOOTSTRAP": "localhost:1,127.0.0.1:2"}).security.get("sasl_plain_username", "u") == "u"
    away = read(environment | {"FORAGE_BOOTSTRAP": "127.0.0.1:1,kafka:2"})
    with pytest.raises(
        InvalidSetting, match=rf"FORAGE_SECURITY_PROTOCOL is {protocol}: .*kafka:2 unencrypted; set SSL.*FORAGE_ALLOW_PLAINTEXT=yes"
    ):
        _ = away.security
    assert replace(away, allow_plaintext="yes").security == read(environment).security
    assert replace(away, security_protocol="SSL", sasl_mechanism="").security["security_protocol"] == "SSL"
