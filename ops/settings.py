"""Settings: the environment, read once at the edge into one frozen object. Command options go before them."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path

from ops.telemetry import metrics_address
from schemas.errors import InvalidSetting

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
FORMATS = ("text", "json")
_ADDRESS = re.compile(r"[^\s:,/]+:\d{1,5}")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_STRATEGY = re.compile(r"[a-z][a-z0-9_]{0,63}(=(outside|[A-Za-z_][\w.]*:[A-Za-z_]\w*))?")
NAMES: dict[str, str] = {
    "bootstrap": "FORAGE_BOOTSTRAP",
    "data": "FORAGE_DATA_DIR",
    "state_store": "FORAGE_STATE_STORE",
    "group": "FORAGE_GROUP",
    "instance": "FORAGE_INSTANCE",
    "client_key": "FORAGE_CLIENT_KEY",
    "security_protocol": "FORAGE_SECURITY_PROTOCOL",
    "allow_plaintext": "FORAGE_ALLOW_PLAINTEXT",
    "ca_file": "FORAGE_CA_FILE",
    "cert_file": "FORAGE_CERT_FILE",
    "key_file": "FORAGE_KEY_FILE",
    "sasl_mechanism": "FORAGE_SASL_MECHANISM",
    "sasl_username": "FORAGE_SASL_USERNAME",
    "sasl_password": "FORAGE_SASL_PASSWORD",
    "strategies": "FORAGE_STRATEGIES",
    "encoder": "FORAGE_ENCODER",
    "metrics": "FORAGE_METRICS",
    "log_format": "FORAGE_LOG_FORMAT",
    "token_key": "FORAGE_TOKEN_KEY",
    "api_tokens_file": "FORAGE_API_TOKENS_FILE",
    "origins": "FORAGE_ORIGINS",
}
SECRET_FILES = {  # files to read a secret from
    "client_key": "FORAGE_CLIENT_KEY_FILE", "sasl_password": "FORAGE_SASL_PASSWORD_FILE", "token_key": "FORAGE_TOKEN_KEY_FILE",
}  # fmt: skip
VARIABLES = (*NAMES.values(), *SECRET_FILES.values())


@dataclass(frozen=True)
class Settings:
    """What differs between installations. `NAMES` says which variable sets what; each is text there."""

    bootstrap: str = "127.0.0.1:9092"  # host:port of Kafka, several with commas
    data: Path = Path("var")  # folder of state files, snapshots and spilled events
    state_store: str = ""  # folder or URL for checkpoints that another machine can start from; none without
    group: str = "forage"  # workers of one group share the partitions
    instance: str = ""  # slot of this worker: a restart under the same name gets its partitions back at once
    client_key: str = field(default="", repr=False)  # key of the hashes under which people are counted; the same in all workers
    security_protocol: str = "PLAINTEXT"
    allow_plaintext: str = ""  # yes: unencrypted traffic may leave this host
    ca_file: str = ""  # PEM; the system's CAs without
    cert_file: str = ""  # PEM; of this client, where the broker asks for one
    key_file: str = ""  # PEM; in cert_file without
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    # Entries: a name; name=module:function, one of one's own; name=outside, one that somebody else's engine asks. By default, what needs
    # no encoder and no dates.
    strategies: tuple[str, ...] = ("lexical", "trigrams", "memory", "neighbours", "popular", "xmr")
    encoder: str = ""  # of the dense strategy: a model's folder, a package that carries one, or org/model of the hub; none without
    metrics: str = ""  # HOST:PORT or a port of this host where a worker's metrics can be read; not served without
    log_format: str = "text"  # of a worker's log: text for people, json for programs, one object a line
    token_key: str = field(default="", repr=False)  # servers sign the tokens of searches with it; one made for the data folder without
    api_tokens_file: str = ""  # who may call a server: NAME SHA256 SCOPES a line; open to this host alone without
    origins: tuple[str, ...] = ()  # sites whose pages may call a server from the browser: https://shop.example

    @property
    def security(self) -> dict[str, object]:
        """kafka-python's settings for a secured broker; empty for a plain one.

        Raises InvalidSetting where what is sent could be read on its way: unencrypted, to another host, and not allowed. Whoever connects
        asks here, so no client can forget it.
        """
        if not self.security_protocol.endswith("SSL") and not self.allow_plaintext:
            for address in self.bootstrap.split(","):
                if not is_loopback(address.strip().rpartition(":")[0]):
                    _refuse(
                        "security_protocol", self.security_protocol,
                        f"people's searches would cross the network to {address.strip()} unencrypted; set SSL or SASL_SSL, or where the "
                        f"network itself is safe {NAMES['allow_plaintext']}=yes",
                    )  # fmt: skip
        plain = {
            "security_protocol": self.security_protocol if self.security_protocol != "PLAINTEXT" else "",
            "ssl_cafile": self.ca_file,
            "ssl_certfile": self.cert_file,
            "ssl_keyfile": self.key_file,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
        }
        return {name: value for name, value in plain.items() if value}


def read(environment: Mapping[str, str]) -> Settings:
    """Settings of an environment; an empty variable counts as not set. Raises InvalidSetting."""
    given = {field: environment[name] for field, name in NAMES.items() if environment.get(name)}
    given |= {field: _secret(environment, field, Path(environment[name])) for field, name in SECRET_FILES.items() if environment.get(name)}
    assert set(NAMES) == {field.name for field in fields(Settings)}
    plain: dict[str, object] = dict(given)
    if "data" in given:
        plain["data"] = Path(given["data"])
    if "strategies" in given:
        plain["strategies"] = strategy_entries(given["strategies"])
    if "origins" in given:
        plain["origins"] = tuple(origin.strip() for origin in given["origins"].split(",") if origin.strip())
    settings = Settings(**plain)  # type: ignore[arg-type]
    check_bootstrap(settings.bootstrap)
    _check_security(settings)
    if settings.metrics:
        metrics_address(settings.metrics)
    if settings.log_format not in FORMATS:
        _refuse("log_format", settings.log_format, f"must be one of {', '.join(FORMATS)}")
    if wrong := [origin for origin in settings.origins if not _ORIGIN.fullmatch(origin)]:
        _refuse("origins", wrong[0], "is no origin: write scheme and host as https://shop.example, several with commas")
    if settings.token_key and len(settings.token_key.encode()) < 16:
        _refuse("token_key", "shorter than 16 bytes", "could be guessed; take a longer random key, the same for all servers of a site")
    if len(settings.client_key.encode()) > 64:
        _refuse("client_key", "longer than 64 bytes", "at most 64 bytes are used; take a shorter random key")
    return settings


def strategy_entries(text: str, *, given_as: str = NAMES["strategies"]) -> tuple[str, ...]:
    """The entries of a list of strategies with commas between. Raises InvalidSetting."""
    entries = tuple(one.strip() for one in text.split(",") if one.strip())
    for entry in entries:
        if not _STRATEGY.fullmatch(entry):
            rule = "names are small letters, digits and _; write lexical,memory, or for one of your own name=module:function"
            raise InvalidSetting(f"{given_as} is {entry}: {rule}")
    if not entries or len(set(names_of(entries))) != len(entries):
        raise InvalidSetting(f"{given_as} is {text}: must name at least one strategy, each once; write lexical,memory,popular")
    return entries


def names_of(entries: Iterable[str]) -> tuple[str, ...]:
    """The names alone, without where strategies of one's own come from. Of names, these names."""
    return tuple(entry.partition("=")[0] for entry in entries)


def current() -> Settings:
    """Settings of this process."""
    return read(os.environ)


def check_bootstrap(bootstrap: str, *, given_as: str = NAMES["bootstrap"]) -> None:
    """Raises InvalidSetting unless every address is host:port."""
    for address in bootstrap.split(","):
        if not _ADDRESS.fullmatch(address.strip()) or int(address.rpartition(":")[2]) > 65_535:
            raise InvalidSetting(f"{given_as} is {address}: must be host:port, several with commas; write 127.0.0.1:9092")


def _check_security(settings: Settings) -> None:
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    if protocol not in PROTOCOLS:
        _refuse("security_protocol", protocol, f"must be one of {', '.join(PROTOCOLS)}")
    if protocol.startswith("SASL") and not mechanism:
        _refuse("sasl_mechanism", "not set", f"{protocol} needs one; set PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    if mechanism and not protocol.startswith("SASL"):
        _refuse("sasl_mechanism", mechanism, f"has no effect with {protocol}; set {NAMES['security_protocol']} to SASL_SSL")
    if mechanism and mechanism not in MECHANISMS:
        _refuse("sasl_mechanism", mechanism, f"must be one of {', '.join(MECHANISMS)}")
    if mechanism and not (settings.sasl_username and settings.sasl_password):
        _refuse("sasl_mechanism", mechanism, f"needs {NAMES['sasl_username']} and {NAMES['sasl_password']}; set both")
    if settings.allow_plaintext not in ("", "yes"):
        _refuse("allow_plaintext", settings.allow_plaintext, "must be yes, or not set")
    if settings.key_file and not settings.cert_file:
        _refuse("key_file", settings.key_file, f"has no effect without the certificate that it belongs to; set {NAMES['cert_file']}")
    for name, what in (("ca_file", "the CA's certificate"), ("cert_file", "this client's certificate"), ("key_file", "this client's key")):
        if path := getattr(settings, name):
            if not protocol.endswith("SSL"):
                _refuse(name, path, f"has no effect with {protocol}; set {NAMES['security_protocol']} to SSL or SASL_SSL")
            if not Path(path).is_file():
                _refuse(name, path, f"no such file; give the path of {what} in PEM form")


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(environment: Mapping[str, str], field: str, path: Path) -> str:
    """A secret from a file, as container platforms mount them; the end of its line is no part of it."""
    if environment.get(NAMES[field]):
        raise InvalidSetting(f"{NAMES[field]} and {SECRET_FILES[field]} are both set: one secret, one place; unset one of them")
    try:
        secret = path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InvalidSetting(f"{SECRET_FILES[field]} is {path}: does not read ({why}); give a text file that this user may read") from None
    if not secret:
        raise InvalidSetting(f"{SECRET_FILES[field]} is {path}: is empty; write the secret into it")
    return secret


def _refuse(field: str, value: str, rule: str) -> None:
    raise InvalidSetting(f"{NAMES[field]} is {value}: {rule}")
