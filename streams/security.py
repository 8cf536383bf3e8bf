"""What it takes to talk to a secured broker: kafka-python's settings, given to every client alike."""

import ssl
from collections.abc import Mapping
from typing import Any

from schemas.errors import InvalidSetting

# Of kafka-python: security_protocol, ssl_cafile, ssl_certfile, ssl_keyfile, sasl_mechanism, sasl_plain_username, sasl_plain_password.
Security = Mapping[str, Any]


class Secret(str):
    """Text that is handed on but never shown: what is printed of a setting, a configuration or a traceback shows `'***'`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def guarded(security: Security | None) -> dict[str, Any]:
    """The settings with their password as a Secret: clients print their whole configuration at level DEBUG."""
    return {name: Secret(value) if "password" in name and value is not None else value for name, value in (security or {}).items()}


def is_tls(security: Security | None) -> bool:
    """Whether these settings encrypt."""
    return str((security or {}).get("security_protocol", "")).endswith("SSL")


def tls_context(security: Security) -> ssl.SSLContext:
    """The TLS side of the settings, as kafka-python builds it: TLS 1.2 or newer, certificate and host name checked, the system's CAs
    without `ssl_cafile`. Raises InvalidSetting when a file does not load."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    ca, certificate, key = (security.get(f"ssl_{name}file") for name in ("ca", "cert", "key"))
    try:
        if ca:
            context.load_verify_locations(ca)
        else:
            context.load_default_certs()
    except OSError as error:  # ssl.SSLError is one
        raise InvalidSetting(f"the CA file {ca} does not load ({_said(error)}); give the CA's certificate in PEM form") from None
    try:
        if certificate:
            context.load_cert_chain(certificate, key, password=security.get("ssl_password"))
    except OSError as error:
        raise InvalidSetting(
            f"the client certificate {certificate} with key {key or certificate} does not load ({_said(error)}); give both in PEM form, "
            "the key without a password, readable by this user"
        ) from None
    return context


def _said(error: OSError) -> str:
    return (isinstance(error, ssl.SSLError) and error.reason) or error.strerror or type(error).__name__
