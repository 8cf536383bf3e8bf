"""What the tests of refusals share."""

import re

import pytest

from schemas.errors import InvalidMessage
from schemas.outcomes import Quarantined


def refusal(decoder, *args) -> list[str]:
    with pytest.raises(InvalidMessage) as caught:
        decoder(*args)
    return caught.value.problems


def shaped(problems: list[str]) -> bool:
    """`field: rule; remedy`, each part filled in, printable, short enough for the quarantine."""
    text = "; ".join(problems)
    text.encode("utf-8")
    fits = Quarantined(quarantine_id="q", topic="t", time=0, reason="invalid", error=text, value="")
    return fits.error == text and all(re.fullmatch(r".+?: .+; .+", line, re.DOTALL) for line in problems)
