"""What a PromQL expression reads: names of metrics and the labels it asks of them. Only the part of the language that is used here."""

import re

WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset"}
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_DURATION = re.compile(r"\[[^\]]*\]")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """(metric, labels it is selected by) of every selector, functions and keywords left out."""
    text = _GROUPING.sub("", _DURATION.sub("", _TEXT.sub('""', expression)))
    out = []
    for found in _SELECTOR.finditer(text):
        rest = text[found.end() :].lstrip()
        if found[1] in WORDS or rest.startswith("(") or text[: found.start()].endswith(tuple("0123456789.")):
            continue
        out.append((found[1], set(re.findall(r"(\w+)\s*[=!]~?", found[2] or ""))))
    return out


def grouped(expression: str) -> set[str]:
    """Labels that it groups by or joins on."""
    return {name.strip() for names in _GROUPING.findall(expression) for name in names.split(",") if name.strip()}


def matched(expression: str) -> list[tuple[str, str, list[str]]]:
    """(metric, label, values) where a selector names values, alternatives of =~ apart."""
    return [
        (name, label, values.split("|"))
        for name, inside in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
        for label, values in re.findall(r'(\w+)\s*[=!]~?\s*"([^"]*)"', inside)
    ]
