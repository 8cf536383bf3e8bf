"""Every retriever of the package under every check of the contract."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest

import retrievers
from retrievers.base import Retriever
from retrievers.lexical import ALL, TITLE, LexicalRetriever
from retrievers.memory import MemoryRetriever
from retrievers.neighbours import NeighbourRetriever
from retrievers.popular import PopularRetriever
from tests.checks.retriever_checks import CHECKS, Subject
from tests.retrievers.hash_encoder import HashEncoder
from tests.retrievers.shop import Shop

SUBJECTS: dict[str, Callable[[Shop], Retriever]] = {
    "dense": lambda shop: shop.dense,
    "fresh": lambda shop: shop.fresh,
    "lexical": lambda shop: LexicalRetriever(shop.index),
    "lexical_all": lambda shop: LexicalRetriever(shop.index, name="lexical_all", boosts=ALL),
    "lexical_title": lambda shop: LexicalRetriever(shop.index, name="lexical_title", boosts=TITLE),
    "memory": lambda shop: MemoryRetriever(shop.memory, among=shop.catalog),
    "neighbours": lambda shop: NeighbourRetriever(shop.nearby, among=shop.catalog),
    "neighbours_by_meaning": lambda shop: NeighbourRetriever(shop.nearby, among=shop.catalog, encoder=HashEncoder()),
    "popular": lambda shop: PopularRetriever(shop.memory.totals, catalog=shop.catalog),
    "trigrams": lambda shop: shop.trigrams,
    "xmr": lambda shop: shop.xmr,
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SUBJECTS)
def test_contract(name: str, check: str) -> None:
    CHECKS[check](Subject.of(SUBJECTS[name]))


def test_no_retriever_escapes_the_checks() -> None:
    checked = {type(build(Shop())) for build in SUBJECTS.values()}
    for info in pkgutil.walk_packages(retrievers.__path__, "retrievers."):
        for _, found in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if hasattr(found, "retrieve") and found is not Retriever:
                assert found in checked, f"{found} is under no check; add it to SUBJECTS"
