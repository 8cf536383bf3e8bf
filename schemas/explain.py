"""What is wrong with a message, in plain words: one line per problem, made of the field, the rule that it breaks and the remedy."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

MAX_PROBLEMS = 10
MAX_RULE = 260  # characters of field, rule and value: ten lines fit the 4,096 of a quarantined message's error
_MILLIS = "send whole milliseconds since 1970-01-01 UTC"

# By kind of problem: the rule (filled in from pydantic's own limits) and the remedy. {word} is a field of the problem's context.
_RULES: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "extra_forbidden": ("is no field of this message", "remove it, or put it in attributes"),
    "string_type": ("must be text", "send a JSON string"),
    "string_unicode": ("holds half a character (a lone surrogate)", "send valid Unicode text"),
    "string_too_short": ("must have at least {min_length} character", "fill it in, or leave the field out"),
    "string_too_long": ("must have at most {max_length} characters", "shorten it"),
    "string_pattern_mismatch": ("must match {pattern}", "use only the characters that the pattern allows"),
    "int_type": ("must be a whole number", "send it without quotes and without a decimal point"),
    "float_type": ("must be a number", "send it without quotes"),
    "finite_number": ("must be a finite number", "send a finite number, or leave the field out"),
    "bool_type": ("must be true or false", "send true or false without quotes"),
    "greater_than": ("must be over {gt}", "send a value inside the limits"),
    "greater_than_equal": ("must be at least {ge}", "send a value inside the limits"),
    "less_than": ("must be under {lt}", "send a value inside the limits"),
    "less_than_equal": ("must be at most {le}", "send a value inside the limits"),
    "literal_error": ("must be {expected}", "send one of these"),
    "list_type": ("must be a list", "send a JSON array"),
    "dict_type": ("must be an object", "send a JSON object"),
    "model_type": ("must be an object", "send a JSON object"),
    "model_attributes_type": ("must be an object", "send a JSON object"),
    "too_short": ("must have at least {min_length} items", "add what is missing"),
    "too_long": ("must have at most {max_length} items", "send fewer"),
    "scalar": (
        "must be text of at most 1024 characters, true, false, null, or a number under 2^53 either way",
        "send one such value, or leave it out",
    ),
    "union_tag_invalid": ("must be one of {expected_tags}", "set type to what the message is"),
    "union_tag_not_found": ("is missing", "say what the message is: impression, action, ..."),
}
_REMEDIES = {  # fields whose remedy can be told better than by the kind of problem
    "ts": _MILLIS,
    "time": _MILLIS,
    "closed": _MILLIS,
    "created": _MILLIS,
    "created_at": _MILLIS,
    "schema_version": "send 1; a newer version needs a newer forage here",
    "position": "number the results 1, 2, 3 over all pages",
    "rank": "number the strategy's list 1, 2, 3",
    "propensity": "send the probability with which it was asked, over 0 and at most 1",
}
_NO_VALUE = {"missing", "union_tag_not_found", "value_error", "json_invalid"}
_JSON = "send one JSON object in UTF-8"
_PARSER: tuple[tuple[str, str], ...] = (  # what the parser says -> rule; remedy
    ("recursion limit", "is nested too deeply; send it flat, as the schema shows"),
    ("number out of range", "holds a number with thousands of digits; send numbers of ordinary size"),
    ("hex escape", "holds a broken \\u escape or half a character (a lone surrogate); send valid Unicode text"),
    ("surrogate", "holds half a character (a lone surrogate); send valid Unicode text"),
    ("EOF", f"is cut off; {_JSON}"),
    ("trailing characters", f"goes on after its end; {_JSON}"),
    ("control character", "has a raw control character inside text; escape it, as JSON asks"),
)


def _shown(value: object) -> str:
    """At most 60 characters of a value, printable whatever it holds."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of over 60 digits"  # Python refuses to print the longest ones
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _field(location: Sequence[int | str], tagged: bool) -> str:
    """`results[0].position`, without the names that pydantic adds for the chosen member of a union."""
    out = ""
    for at, part in enumerate(location):
        if (tagged and at == 0) or (at and location[at - 1] == "event" and at == 1 + tagged):
            continue  # the tag of an event or conclusion, no field
        if isinstance(part, int):
            out += f"[{part}]"
        elif part != "[key]":
            out += ("." if out else "") + (part if part.isidentifier() and len(part) <= 64 else _shown(part))
    return out


def _line(problem: Mapping[str, Any], tagged: bool) -> str:
    kind, context, location, value = problem["type"], problem.get("ctx", {}), problem["loc"], problem["input"]
    field, last = _field(location, tagged) or "message", location[-1] if location else ""
    rule, remedy = _RULES.get(kind, (problem["msg"], "correct the value"))
    if kind == "value_error":  # our own validators say both
        rule, _, remedy = str(context["error"]).rpartition("; ")
    elif kind in _RULES:
        rule = rule.format_map({name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in context.items()})
    if kind.startswith("union_tag"):
        field, value = "type" if field == "message" else f"{field}.type", value.get("type") if isinstance(value, dict) else value
    elif kind not in ("missing", "extra_forbidden"):
        remedy = _REMEDIES.get(str(last), remedy)
    if last == "[key]":
        rule = f"the name of an attribute {rule}"
    got = "" if kind in _NO_VALUE else f", got {_shown(value)}"
    return f"{field}: {rule}{got}"[:MAX_RULE] + f"; {remedy}"


def explain(error: ValidationError) -> list[str]:
    """One line per problem, at most MAX_PROBLEMS of them: the field, the rule that it breaks, what to do."""
    return explain_problems(error.errors(include_url=False), tagged=error.title.startswith("tagged-union"))


def explain_problems(problems: Sequence[Mapping[str, Any]], *, tagged: bool = False) -> list[str]:
    """The same for problems that have left their error. `tagged`: their places begin with the tag of a union."""
    lines = [_line(problem, tagged) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"message: has {len(problems) - MAX_PROBLEMS} more problems; correct these first")
    return lines


def explain_parser(text: str, value: bytes) -> str:
    """The line for bytes that are no JSON; `text` is what the parser said."""
    place = found.group() if (found := re.search(r"line \d+ column \d+", text)) else "an unknown place"
    if not value.strip():
        return f"message: is empty; {_JSON}"
    if value.startswith(b"\xef\xbb\xbf"):
        return "message: begins with a byte order mark; send UTF-8 without it"
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"message: is not UTF-8 at byte {error.start}; {_JSON}"
    rule = next((rule for sign, rule in _PARSER if sign in text), f"is not JSON; {_JSON}")
    return "message: " + rule.replace(";", f" (at {place});", 1)
