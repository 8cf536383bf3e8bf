"""Words of a text, the same for documents and queries."""

import re
import unicodedata

MAX_TOKEN = 64  # longer runs are ids or noise; cut, so that they still match themselves
_ACCENT = re.compile("[\u0300-\u036f]")
# Vowel signs and other marks belong to the word they stand in (Devanagari, Hebrew points, ...).
_MARK = "".join(chr(code) for code in range(0x0370, 0x2000) if unicodedata.category(chr(code))[0] == "M")
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Thai, kana, Han: written without spaces, so each sign is a word
_PART = rf"(?:[^\W_{_UNSPACED}]+|[{_MARK}]+)+"
_WORD = re.compile(
    r"\d+(?:[.,]\d+)+"  # 3.5 and 1,000
    r"|[a-z](?:\+{1,2}|\#)(?![\w+#])"  # c++ and c#
    rf"|(?:\$(?=[^\W\d_]))?{_PART}(?:[$!&@*'\u2019]{_PART})*(?:(?<=[^\W\d_])\$)?"  # a$ap p!nk at&t don't ke$ha
    rf"|[{_UNSPACED}]"
)
_APOSTROPHE = re.compile("['\u2019]")


def fold(text: str) -> str:
    """NFKC and casefold, accents off: what is typed without them finds what is written with them.

    >>> fold("Beyoncé"), fold("ＡＢＣ"), fold("Straße")
    ('beyonce', 'abc', 'strasse')
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", _ACCENT.sub("", unicodedata.normalize("NFKD", folded)))


def tokens(text: str) -> list[str]:
    """Words and numbers in order. Names with signs stay whole; an apostrophe joins; a text without any word is its own token.

    >>> tokens("Assassin's Creed: C++ & A$AP, 3.5 (new)"), tokens("!!!"), tokens("")
    (['assassins', 'creed', 'c++', 'a$ap', '3.5', 'new'], ['!!!'], [])
    """
    folded = fold(text)
    words = [_APOSTROPHE.sub("", word)[:MAX_TOKEN] for word in _WORD.findall(folded)]
    return words or ["".join(folded.split())[:MAX_TOKEN]] * bool(folded.strip())
