"""A view refuses what could not be logged."""

import pytest

from retrievers.lexical import LexicalRetriever
from retrievers.popular import PopularRetriever
from schemas.errors import InvalidSetting
from serving.view import View
from tests.retrievers.shop import games
from tests.serving.kitchen import policy

SHOP = games()


@pytest.mark.parametrize("name", ["Lexical", "", "1st", "a-b", "a" * 65, "lexical\n"])
def test_names_must_fit_the_log(name: str) -> None:
    with pytest.raises(InvalidSetting, match="use one name of a-z"):
        View(policy(), None, {name: LexicalRetriever(SHOP.index, name=name)}, SHOP.catalog)


def test_one_name_for_both() -> None:
    with pytest.raises(InvalidSetting, match="stands under 'words'"):
        View(policy(), None, {"words": LexicalRetriever(SHOP.index)}, SHOP.catalog)


def test_not_more_than_an_impression_holds() -> None:
    many = {f"r{number}": LexicalRetriever(SHOP.index, name=f"r{number}") for number in range(33)}
    with pytest.raises(InvalidSetting, match="33 strategies, at most 32"):
        View(policy(), None, many, SHOP.catalog)


def test_available_is_sorted_and_immutable() -> None:
    popular, lexical = PopularRetriever(SHOP.memory.totals, catalog=SHOP.catalog), LexicalRetriever(SHOP.index)
    view = View(policy(), None, {"popular": popular, "lexical": lexical}, SHOP.catalog)
    assert view.available == ("lexical", "popular")
    with pytest.raises(AttributeError):
        view.memory = SHOP.memory  # type: ignore[misc]
