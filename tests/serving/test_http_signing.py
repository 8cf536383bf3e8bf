"""Tokens of searches and the console's cookie: what is signed is what is taken, and nothing else."""

import string
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidSetting, NotAllowed
from serving.access import EVERYONE, NOBODY, SIGNED_IN_MS, Access, Grant
from serving.signing import HALF_HOUR_MS, SKEW_MS, Signer

NOW = 1_700_000_000_000
SIGNER = Signer(b"0123456789abcdef")
IDS = st.text(min_size=1, max_size=300)
BASE64 = string.ascii_letters + string.digits + "-_"


@given(search=IDS, client=st.none() | IDS, shown=st.lists(IDS, max_size=5), age=st.integers(0, HALF_HOUR_MS))
def test_what_was_signed_is_taken(search, client, shown, age):
    token = SIGNER.sign(search, client, NOW, shown=shown)
    SIGNER.check(token, search_id=search, client_id=client, now=NOW + age)
    for entity in shown:
        SIGNER.check(token, search_id=search, client_id=client, now=NOW + age, entity_id=entity)


def test_a_token_is_short_and_safe_in_an_address():
    token = SIGNER.sign("s", "c", NOW, shown=[str(one) for one in range(10)])
    assert len(token) == 115
    assert set(token) <= set(BASE64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search_id": "s-2"}, "of another search"),
        ({"client_id": "c-2"}, "of another client"),
        ({"client_id": None}, "of another client"),
        ({"now": NOW + HALF_HOUR_MS + 1}, "has expired, it is good for 30 minutes; search again"),
        ({"now": NOW - SKEW_MS - 1}, "has expired"),
        ({"entity_id": "e-3"}, "did not show this entity"),
    ],
)
def test_a_token_is_good_for_one_search_client_and_page_and_for_half_an_hour(change, said):
    token = SIGNER.sign("s-1", "c-1", NOW, shown=["e-1", "e-2"])
    right = {"search_id": "s-1", "client_id": "c-1", "now": NOW, "entity_id": "e-1"}
    SIGNER.check(token, **right)
    SIGNER.check(token, **(right | {"now": NOW - SKEW_MS}))  # signed by a server whose clock is ahead of ours
    with pytest.raises(NotAllowed, match=said):
        SIGNER.check(token, **(right | change))


@given(at=st.integers(0, 114), letter=st.sampled_from(BASE64))
def test_a_token_with_one_other_letter_is_refused(at, letter):
    token = SIGNER.sign("s-1", "c-1", NOW, shown=[str(one) for one in range(10)])
    other = token[:at] + letter + token[at + 1 :]
    if other != token:
        with pytest.raises(NotAllowed, match=r"forged|no token"):
            SIGNER.check(other, search_id="s-1", client_id="c-1", now=NOW)


@given(st.text(max_size=200))
def test_what_is_no_token_is_refused_whatever_it_is(text):
    with pytest.raises(NotAllowed, match="token: "):
        SIGNER.check(text, search_id="s-1", client_id="c-1", now=NOW)


def test_shown_entities_cannot_be_added_or_moved_to_another_token():
    one, two = SIGNER.sign("s-1", "c", NOW, shown=["e-1"]), SIGNER.sign("s-1", "c", NOW, shown=["e-1", "e-2"])
    for mixed in (one + two[-6:], two[:-5], one[:-6] + two[-6:]):
        with pytest.raises(NotAllowed):
            SIGNER.check(mixed, search_id="s-1", client_id="c", now=NOW, entity_id="e-2")


def test_another_key_signs_other_tokens_and_a_short_one_is_refused():
    with pytest.raises(NotAllowed, match="forged"):
        SIGNER.check(Signer(b"another key, as long").sign("s", "c", NOW), search_id="s", client_id="c", now=NOW)
    with pytest.raises(InvalidSetting, match="at least 16"):
        Signer(b"short")


BOSS = Grant("boss", sha256(b"secret").hexdigest(), ("read", "operate"))
ACCESS = Access(b"k" * 32, [BOSS])


def test_api_tokens_are_known_by_their_hash():
    assert ACCESS.of("Bearer secret", None, NOW) is BOSS
    assert ACCESS.of("bearer  secret", None, NOW) is BOSS
    assert ACCESS.of(None, None, NOW) is NOBODY
    assert Access(b"k" * 32).of(None, None, NOW) is EVERYONE
    for wrong, said in (
        ("Bearer other", "not known"),
        ("Bearer ", "not known"),
        (f"Bearer {BOSS.sha256}", "not known"),
        ("Basic x", "must be"),
    ):
        with pytest.raises(NotAllowed, match=said):
            ACCESS.of(wrong, None, NOW)
    assert "secret" not in repr(ACCESS)
    assert "kkk" not in repr(ACCESS)


def test_a_cookie_stands_for_a_token_until_it_is_old_or_the_token_is_gone():
    cookie = ACCESS.sign_in("secret", NOW)
    assert ACCESS.of(None, cookie, NOW + SIGNED_IN_MS) is BOSS
    assert ACCESS.of(None, cookie, NOW + SIGNED_IN_MS + 1) is NOBODY
    assert Access(b"k" * 32, [Grant("x", sha256(b"x").hexdigest(), ())]).of(None, cookie, NOW) is NOBODY
    assert Access(b"j" * 32, [BOSS]).of(None, cookie, NOW) is NOBODY
    with pytest.raises(NotAllowed):
        ACCESS.sign_in("wrong", NOW)


@given(st.text(max_size=80) | st.just("").map(lambda _: ACCESS.sign_in("secret", NOW)[:-2] + "A="))
def test_a_false_cookie_is_nobody(cookie):
    assert ACCESS.of(None, cookie, NOW) is NOBODY


@pytest.mark.parametrize(("hashed", "scopes"), [("x" * 64, ()), ("ab", ()), ("a" * 64, ("fly",))])
def test_a_grant_that_could_never_work_is_refused(hashed, scopes):
    with pytest.raises(InvalidSetting, match="token 'n'"):
        Grant("n", hashed, scopes)
