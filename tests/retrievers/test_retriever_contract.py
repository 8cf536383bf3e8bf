"""Every retriever of the package under every check of the contract."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest

import retrievers
from retrievers.base import Retriever
from retrievers.lexical import LexicalRetriever
from retrievers.memory import MemoryRetriever
from retrievers.popular import PopularRetriever
from tests.checks.retriever_checks import CHECKS, Subject
from tests.retrievers.shop import Shop

SUBJECTS: dict[str, Callable[[Shop], Retriever]] = {
    "dense": lambda shop: shop.dense,
    "lexical": lambda shop: LexicalRetriever(shop.index),
    "lexical_title": lambda shop: LexicalRetriever(shop.index, name="lexical_title", boosts={"title": 2.0}),
    "memory": lambda shop: MemoryRetriever(shop.memory, among=shop.catalog),
    "popular": lambda shop: PopularRetriever(shop.memory.totals, catalog=shop.catalog),
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
