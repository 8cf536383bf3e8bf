"""Colours, computed anew from the tokens: contrast (WCAG 2) and distance (CIEDE2000) as each kind of colour vision sees it."""

import re
from itertools import combinations
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

import pytest

from display.colours import DARK, HEAT, LIGHT, METHODS, heat, style, tokens
from display.words import METHODS as NAMED

THEMES = [pytest.param(LIGHT, 0, id="light"), pytest.param(DARK, 1, id="dark")]
TEXT, DRAWN = 4.5, 3.0
APART = 10.0  # CIEDE2000; some 2 can be told apart side by side, these stand far from each other
# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> tuple[float, ...]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def contrast(one: str, other: str) -> float:
    light, dark = sorted((sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, vision: str) -> tuple[float, float, float]:
    rgb = [min(1.0, max(0.0, sum(w * c for w, c in zip(row, linear(colour), strict=True)))) for row in VISION[vision]]
    rows = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    x, y, z = (sum(w * c for w, c in zip(row, rgb, strict=True)) / white for row, white in zip(rows, (0.95047, 1.0, 1.08883), strict=True))
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: tuple[float, float, float], two: tuple[float, float, float]) -> float:
    """CIEDE2000 (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean = (hypot(a1, b1) + hypot(a2, b2)) / 2
    g = 0.5 * (1 - sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = (degrees(atan2(b, a)) % 360 if a or b else 0.0 for a, b in ((a1, b1), (a2, b2)))
    turn = h2 - h1
    turn = 0.0 if c1 * c2 == 0 else turn - 360 if turn > 180 else turn + 360 if turn < -180 else turn
    dl, dc, dh = l2 - l1, c2 - c1, 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = h1 + h2 if c1 * c2 == 0 else (h1 + h2) / 2 if abs(h1 - h2) <= 180 else (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    t = (
        1 - 0.17 * cos(radians(hm - 30)) + 0.24 * cos(radians(2 * hm)) + 0.32 * cos(radians(3 * hm + 6)) - 0.2 * cos(radians(4 * hm - 63))
    )  # fmt: skip
    sl, sc, sh = 1 + 0.015 * (lm - 50) ** 2 / sqrt(20 + (lm - 50) ** 2), 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = -2 * sqrt(cm**7 / (cm**7 + 25**7)) * sin(radians(60 * exp(-(((hm - 275) / 25) ** 2))))
    return sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh))


def test_the_distance_is_that_of_its_paper():
    """Pairs 1, 7 and 25 of the table in Sharma, Wu, Dalal (2005)."""
    for one, two, known in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ):
        assert distance(one, two) == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize(("roles", "which"), THEMES)
def test_text_and_drawings_stand_out_from_every_surface(roles, which):
    for surface in ("page", "card"):
        for role in ("ink", "ink2", "ink3", "link", "ok", "warn", "bad", "up", "down"):
            assert contrast(roles[role], roles[surface]) >= TEXT, (role, surface)
        for colour in (roles["border"], roles["other"], *(pair[which] for pair in METHODS)):
            assert contrast(colour, roles[surface]) >= DRAWN, (colour, surface)
    for tint in range(len(HEAT) + 1):
        assert contrast(roles[f"on{tint}"], roles[f"heat{tint}"]) >= TEXT


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("roles", "which"), THEMES)
def test_any_two_methods_are_apart_for_every_eye(roles, which, vision):
    seen = [lab(pair[which], vision) for pair in METHODS]
    assert min(distance(one, two) for one, two in combinations(seen, 2)) >= APART
    assert min(distance(one, two) for one, two in combinations(seen[:4], 2)) >= 15.0
    assert distance(lab(roles["up"], vision), lab(roles["down"], vision)) >= 40.0


def test_each_method_has_a_colour_of_its_own_and_the_last_is_yours():
    taken = [one.colour for one in NAMED.values()]
    assert len(taken) == len(set(taken))
    assert max(taken) < len(METHODS) - 1


@pytest.mark.parametrize("share", [0.0, 0.1999, 0.2, 0.5, 0.8, 1.0])
def test_tints_grow_with_the_share(share):
    assert heat(share) == f"h{int(share / 0.2 + 1e-9) if share < 1.0 else 4}"
    assert heat(None) == ""


def test_every_colour_of_the_style_sheet_is_a_token():
    known = set(re.findall(r"--(\w+):", tokens()))
    sheet = style()
    assert set(re.findall(r"var\(--(\w+)\)", sheet)) <= known
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", sheet.removeprefix(tokens()))
    assert {f"m{at}" for at in range(len(METHODS))} <= known
    assert LIGHT.keys() == DARK.keys()
    assert not re.search(r"url\(|@import|//", sheet)
