"""Numbers as people read them: three significant digits, a true minus sign, frequencies for chances, a dash for what is not known."""

from math import floor, isfinite, log10

NOTHING = "—"  # not known; zero is "0"
MINUS = "−"
_NBSP = "\N{NO-BREAK SPACE}"
_NEAR = 0.04  # a fraction of small numbers may be off by so much, relatively, and still be what people would say


def number(value: float | None, digits: int = 3) -> str:
    """At least `digits` significant digits: whole numbers keep all of theirs, with commas.

    >>> number(0.123456), number(12345.6), number(-2.0), number(None), number(0.0), number(0.00004567)
    ('0.123', '12,346', '−2', '—', '0', '0.0000457')
    """
    if value is None or not isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    places = max(0, digits - 1 - floor(log10(abs(value))))
    text = f"{value:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def fixed(value: float | None, digits: int = 2) -> str:
    """So many digits behind the point: for columns, whose points stand below each other."""
    return NOTHING if value is None else f"{round(value, digits) or 0.0:,.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """With its sign; what rounds to zero is +0.

    >>> signed(-0.0214), signed(0.0), signed(None)
    ('−0.021', '+0.000', '—')
    """
    return NOTHING if value is None else f"{round(value, digits) or 0.0:+,.{digits}f}".replace("-", MINUS)


def percent(share: float | None, digits: int = 0) -> str:
    """A share as per cent, with a blank that does not break.

    >>> percent(0.12345), percent(None)
    ('12\\xa0%', '—')
    """
    return NOTHING if share is None else f"{100 * share:.{digits}f}{_NBSP}%".replace("-", MINUS)


def interval(low: float | None, high: float | None, *, digits: int = 3, sign: bool = True) -> str:
    """Both ends, the lower first.

    >>> interval(0.012, 0.03), interval(0.1, 0.2, digits=2, sign=False), interval(None, None)
    ('+0.012 to +0.030', '0.10 to 0.20', '—')
    """
    if low is None or high is None:
        return NOTHING
    one = signed if sign else fixed
    return f"{one(low, digits)} to {one(high, digits)}"


def one_in(chance: float | None) -> str:
    """A chance as a frequency, which more people read rightly than a decimal.

    >>> [one_in(p) for p in (0.05, 0.5, 0.667, 0.9, 0.42, 0.0, 1.0, 0.98, 0.0013, None)]
    ['1 in 20', '1 in 2', '2 in 3', '9 in 10', '3 in 7', 'never', 'always', '49 in 50', '1 in 770', '—']
    """
    if chance is None:
        return NOTHING
    if chance <= 0.0:
        return "never"
    if chance >= 1.0:
        return "always"
    small = min(chance, 1.0 - chance)
    for whole in range(2, 11):
        part = round(chance * whole)
        if 0 < part < whole and abs(part / whole - chance) <= _NEAR * small:
            return f"{part} in {whole}"
    whole = _rounded(1.0 / small)
    return f"1 in {whole:,}" if chance < 0.5 else f"{whole - 1:,} in {whole:,}"


def count(value: float | None) -> str:
    """A whole number with commas."""
    return NOTHING if value is None else f"{value:,.0f}".replace("-", MINUS)


def about(value: float | None) -> str:
    """An estimated count, never falsely exact.

    >>> about(312.4), about(7.26), about(0.04), about(0.0), about(12345)
    ('about 310', 'about 7', 'less than 1', 'none', 'about 12,000')
    """
    if value is None:
        return NOTHING
    if value <= 0.0:
        return "none"
    return "less than 1" if value < 0.5 else f"about {_rounded(value):,}"


def plural(many: float, one: str, several: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "search", "searches"), plural(0, "item")
    ('1 search', '0 items')
    """
    return f"{count(many)} {one if many == 1 else several or one + 's'}"


def milliseconds(value: float | None) -> str:
    """Time that something took.

    >>> milliseconds(0.042), milliseconds(12.34), milliseconds(2345.0), milliseconds(None)
    ('<0.1 ms', '12 ms', '2.3 s', '—')
    """
    if value is None:
        return NOTHING
    if value >= 1_000.0:
        return f"{value / 1_000.0:.1f} s"
    return "<0.1 ms" if 0.0 < value < 0.1 else f"{value:.1f} ms" if value < 10.0 else f"{value:.0f} ms"


def duration(seconds: float | None) -> str:
    """A length of time in its largest unit.

    >>> duration(3.2), duration(185), duration(7_300), duration(200_000), duration(None)
    ('3 s', '3 min', '2 h', '2 days', '—')
    """
    if seconds is None:
        return NOTHING
    for unit, name in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= unit:
            return f"{seconds / {'days': 86_400, 'h': 3_600, 'min': 60}[name]:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def ordinal(place: int) -> str:
    """
    >>> ordinal(1), ordinal(3), ordinal(11), ordinal(22)
    ('first', 'third', '11th', '22nd')
    """
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if 1 <= place <= len(words):
        return words[place - 1]
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def listed(parts: list[str] | tuple[str, ...]) -> str:
    """
    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _rounded(value: float) -> int:
    """Two significant digits."""
    step = 10 ** max(0, floor(log10(value)) - 1)
    return int(round(value / step) * step)
