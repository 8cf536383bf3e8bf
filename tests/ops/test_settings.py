"""Settings: the environment read once."""

from dataclasses import fields
from pathlib import Path

import pytest

from ops.settings import NAMES, Settings, read
from schemas.errors import InvalidSetting


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
    assert len(NAMES) <= 13


def test_what_is_set_is_read(tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    found = read(
        {
            "FORAGE_BOOTSTRAP": "one:9092,two:9093", "FORAGE_DATA_DIR": "/srv/forage", "FORAGE_STATE_STORE": "s3://bucket/x",
            "FORAGE_GROUP": "g", "FORAGE_INSTANCE": "w1", "FORAGE_CLIENT_KEY": "k", "FORAGE_SECURITY_PROTOCOL": "SASL_SSL",
            "FORAGE_CA_FILE": str(ca), "FORAGE_SASL_MECHANISM": "PLAIN", "FORAGE_SASL_USERNAME": "u", "FORAGE_SASL_PASSWORD": "p",
            "FORAGE_STRATEGIES": "lexical, memory", "FORAGE_ENCODER": "/srv/model",
        }
    )  # fmt: skip
    assert found == Settings(
        "one:9092,two:9093", Path("/srv/forage"), "s3://bucket/x", "g", "w1", "k", "SASL_SSL", str(ca), "PLAIN", "u", "p",
        ("lexical", "memory"), "/srv/model",
    )  # fmt: skip
    assert found.security == {
        "security_protocol": "SASL_SSL", "ssl_cafile": str(ca), "sasl_mechanism": "PLAIN",
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
        ("FORAGE_CA_FILE", "/nowhere.pem", "PEM"),
        ("FORAGE_CLIENT_KEY", "x" * 65, "shorter"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_remedy(name, value, remedy):
    with pytest.raises(InvalidSetting, match=remedy) as refused:
        read({name: value})
    assert "FORAGE_" in str(refused.value)
