"""What a check found: what it looked at, how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """`note`: not needed by everybody. `remedy` is empty when all is well."""

    what: str
    state: State
    text: str
    remedy: str = ""

    @classmethod
    def told(cls, what: str, state: State, error: Exception) -> "Finding":
        """An error of ours, which ends in its remedy."""
        text = str(error)
        cut = max(text.rfind("; "), text.rfind(". "))
        return cls(what, state, text[:cut] if cut > 0 else text, text[cut + 2 :] if cut > 0 else "see `forage doctor`")


def line(finding: Finding) -> str:
    """For people."""
    return f"{finding.state:8} {finding.what}: {finding.text}" + (f"; {finding.remedy}" if finding.remedy else "")
