from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.draws import uniform

# Computed once with `printf 'ask\x1fforage\x1fs-1\x1flexical' | sha256sum`: first 16 hex digits, then / 2^11 / 2^53.
GOLDEN = [
    (("ask", "forage", "s-1", "lexical"), 0x4D27F276BDB846B2, 0.3013907947440382),
    (("depth", "forage", "s-1", "lexical"), 0xE287704BF5559539, 0.8848791299290808),
    (("bucket", "", "", ""), 0x41C24C8AECF58A7C, 0.2568710173772698),
    (("slot", "sälz", "søk-é", "memory"), 0xA26F21FDE92E9782, 0.6345082516574456),
]


@pytest.mark.parametrize(("parts", "first_8_bytes", "u"), GOLDEN)
def test_golden(parts, first_8_bytes, u):
    assert uniform(*parts) == u
    assert Fraction(u) == Fraction(first_8_bytes >> 11, 2**53)


@given(st.text(), st.text(), st.text())
def test_is_the_formula_of_the_design_for_any_text(salt, search, name):
    digest = sha256("\x1f".join(["shadow", salt, search, name]).encode("utf-8", "surrogatepass")).digest()
    u = uniform("shadow", salt, search, name)
    assert 0.0 <= u < 1.0
    assert u * 2**53 == int.from_bytes(digest[:8], "big") >> 11


def test_purposes_names_and_salts_draw_apart_and_evenly():
    n = 10_000
    draws = {
        (purpose, name, salt): [uniform(purpose, salt, str(search), name) for search in range(n)]
        for purpose, name, salt in [("ask", "a", "x"), ("depth", "a", "x"), ("ask", "b", "x"), ("ask", "a", "y")]
    }
    for us in draws.values():
        counts = [sum(bin_ / 10 <= u < (bin_ + 1) / 10 for u in us) for bin_ in range(10)]
        chi2 = sum((count - n / 10) ** 2 / (n / 10) for count in counts)
        assert chi2 < 45.1  # 9 degrees of freedom, 1 in a million
    first = draws.pop(("ask", "a", "x"))
    for us in draws.values():
        covariance = sum((u - 0.5) * (v - 0.5) for u, v in zip(first, us, strict=True)) / n
        assert abs(covariance * 12) < 3.3 / n**0.5  # a correlation of independent draws
