"""Every colour that is drawn, for light and dark, by the role it has; the style sheet of tokens and charts that screens and reports share.

Contrast and distance of these colours are computed anew by a test: text at least 4.5 : 1 on page and card, what is drawn at least 3 : 1,
and any two methods apart for every kind of colour vision. Moves up and down are blue and orange, never green and red.
"""

from collections.abc import Mapping
from importlib.resources import files

LIGHT: Mapping[str, str] = {
    "page": "#FFFFFF", "card": "#F6F7F9",
    "ink": "#1B1F24", "ink2": "#4A525C", "ink3": "#5F6872", "link": "#1F4FBF",
    "border": "#7C8590", "hair": "#D5D9DF",
    "ok": "#1B6B3A", "warn": "#8A5200", "bad": "#B3261E",
    "up": "#2858CD", "down": "#B4560B", "other": "#868D96",
    "heat0": "#EDF2FC", "heat1": "#C9D9F7", "heat2": "#8FB1EC", "heat3": "#3A6BC8", "heat4": "#1F4FA8",
    "on0": "#1B1F24", "on1": "#1B1F24", "on2": "#1B1F24", "on3": "#FFFFFF", "on4": "#FFFFFF",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "page": "#14171C", "card": "#1C2128",
    "ink": "#E8EBEF", "ink2": "#B4BCC6", "ink3": "#98A2AE", "link": "#8AB4FF",
    "border": "#79838F", "hair": "#343B45",
    "ok": "#6CCB8E", "warn": "#E9B04B", "bad": "#FF8A80",
    "up": "#77A9F3", "down": "#E58A3A", "other": "#7D8590",
    "heat0": "#1E2A40", "heat1": "#27426E", "heat2": "#3463AC", "heat3": "#6A9BE6", "heat4": "#A9C8FA",
    "on0": "#FFFFFF", "on1": "#FFFFFF", "on2": "#FFFFFF", "on3": "#1B1F24", "on4": "#1B1F24",
}  # fmt: skip
METHODS: tuple[tuple[str, str], ...] = (  # (light, dark), by words.Method.colour
    ("#2858CD", "#77A9F3"), ("#795200", "#9C7300"), ("#0F4E3B", "#538678"), ("#B07A00", "#D6AB1B"),
    ("#9C7BD2", "#8558E2"), ("#2B0BA4", "#D0D3FF"), ("#6D5983", "#7D688B"), ("#333602", "#ABAB7F"),
    ("#3D997B", "#62DDBE"), ("#462444", "#B791AD"), ("#5D744A", "#D7ED91"), ("#F2446C", "#CE3E5D"),
)  # fmt: skip
HEAT = (0.2, 0.4, 0.6, 0.8)  # shares from which a cell takes its next tint


def heat(share: float | None) -> str:
    """The class of a cell by its share: h0 to h4; "" where it is not known."""
    return "" if share is None else f"h{sum(share >= edge for edge in HEAT)}"


def tokens() -> str:
    """CSS: a custom property for each role and each method (--m0 to --m11), light, and dark where the reader wants it so or where
    `data-theme` on the root says so."""
    light, dark = (_properties(roles, which) for which, roles in ((0, LIGHT), (1, DARK)))
    return (
        f":root {{ color-scheme: light dark; {light}}}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark}}} }}\n'
        f':root[data-theme="dark"] {{ color-scheme: dark; {dark}}}\n:root[data-theme="light"] {{ color-scheme: light; }}\n'
        f"@media print {{ :root:root:root {{ color-scheme: light; {light}}} }}"
    )


def style() -> str:
    """The whole style sheet of what is drawn: tokens, then the classes of the charts."""
    return f"{tokens()}\n{files('display').joinpath('charts.css').read_text('utf-8')}"


def _properties(roles: Mapping[str, str], which: int) -> str:
    named = {**roles, **{f"m{at}": pair[which] for at, pair in enumerate(METHODS)}}
    return "".join(f"--{name}: {colour}; " for name, colour in named.items())
