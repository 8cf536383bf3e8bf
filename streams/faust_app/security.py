"""A worker's security settings, in kafka-python's words, as aiokafka and Faust want them."""

from typing import Any

import faust
from faust.types.auth import CredentialsT

from streams.security import Security, guarded, is_tls, tls_context


def aiokafka_settings(security: Security) -> dict[str, Any]:
    """Arguments of any aiokafka client; none for a plain broker. Raises InvalidSetting when certificates do not load."""
    found = {name: value for name, value in guarded(security).items() if not name.startswith("ssl_")}
    return found | ({"ssl_context": tls_context(security)} if is_tls(security) else {})


def faust_credentials(security: Security) -> CredentialsT | None:
    """What Faust gives to its consumer and producer; None for a plain broker. Raises InvalidSetting when certificates do not load.

    Faust has no word for the protocol: with SASL it is what the `ssl_context` makes of it, so without one SASL_PLAINTEXT.
    """
    ours = aiokafka_settings(security)
    context = ours.get("ssl_context")
    if "sasl_mechanism" in ours:
        return faust.SASLCredentials(
            username=ours.get("sasl_plain_username"), password=ours.get("sasl_plain_password"), mechanism=ours["sasl_mechanism"],
            ssl_context=context,
        )  # fmt: skip
    return faust.SSLCredentials(context) if context is not None else None
