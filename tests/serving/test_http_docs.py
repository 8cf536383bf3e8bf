"""docs/http.md is followed to the letter: every request is sent, in order, and answered as it says; so are the examples of OpenAPI."""

import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.entities import Entity
from serving.http import acting, health, reading
from tests.serving.http_shop import Shop, shop

DOC = (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8")
STEPS = re.findall(r"```http\n(\w+) (\S+)\n(?:\n(.*?)\n)?```(?:\n\n```json\n(.*?)\n```)?", DOC, re.DOTALL)
CODES = re.compile(r'\(\s*(\d{3}), "(\w+)"|\b(\d{3}): \("(\w+)"')
TITLES = ("Red linen dress", "Red silk dress", "Blue linen dress", "Red wool coat", "Green cotton dress")
DRESSES = [
    Entity(entity_id=f"d{number}", entity_type="dress", title=title, popularity=float(number)) for number, title in enumerate(TITLES, 1)
]
# Ids and times; and what the loop's publications and counts, which come when they come, put into a decision.
OTHER_EVERY_TIME = {"search_id", "token", "content_id", "decision_id", "created", "first_day", "last_day", "decision", "seq", "phi"}


def learn(said: Any, real: Any, known: dict[str, Any]) -> None:
    """Hold a real answer against the one in the docs, and note what stands for what: ids and tokens are others every time."""
    assert type(said) is type(real), (said, real)
    if isinstance(said, dict):
        assert said.keys() == real.keys()
        for name, value in said.items():
            if name in OTHER_EVERY_TIME:
                known[json.dumps(value)] = real[name]
            if not (name in OTHER_EVERY_TIME and not isinstance(value, dict)):
                learn(value, real[name], known)
    elif isinstance(said, list):
        assert len(said) == len(real)
        for one, other in zip(said, real, strict=True):
            learn(one, other, known)
    elif not isinstance(said, float):
        assert said == real


def meant(said: Any, known: dict[str, Any]) -> Any:
    """A request of the docs with the ids and tokens of this run."""
    if (found := known.get(json.dumps(said))) is not None and isinstance(said, str | dict):
        return found
    if isinstance(said, dict):
        return {name: meant(value, known) for name, value in said.items()}
    return [meant(one, known) for one in said] if isinstance(said, list) else said


def ask(service: Shop, step: tuple[str, str, str, str], known: dict[str, Any]) -> Any:
    method, path, body, _ = step
    for said, real in known.items():
        if said.startswith('"') and isinstance(real, str):
            path = path.replace(said.strip('"'), real)
    sent = {"json": meant(json.loads(body), known)} if body else {}
    answer = service.call(method, path, **sent)
    assert answer.is_success == ('"error"' not in step[3]), answer.text
    return answer.json()


def test_every_example_of_the_docs_is_answered_as_it_says(tmp_path):
    known: dict[str, Any] = {}
    assert len(STEPS) >= 10
    with shop(tmp_path, entities=DRESSES) as service:
        for step in STEPS:
            ends = time.monotonic() + 10.0
            while True:  # what was sent counts a moment later
                answer = ask(service, step, known)
                try:
                    learn(json.loads(step[3] or json.dumps(answer)), answer, known)
                    break
                except AssertionError:
                    if step[0] == "POST" or time.monotonic() > ends:
                        raise


def test_every_route_and_every_code_stands_in_the_docs():
    with_paths = set(re.findall(r"`(?:GET|POST) (/[\w/.]+)`", DOC))
    routes = {route.path for part in (acting, health, reading) for route in part.router.routes}
    assert routes <= with_paths
    sources = "".join(path.read_text("utf-8") for path in (Path(__file__).parents[2] / "serving" / "http").glob("*.py"))
    codes = {(a or c, b or d) for a, b, c, d in CODES.findall(sources)}
    rows = {(row[0], code) for row in re.findall(r"^\| (\d+) \| (.*?) \|", DOC, re.MULTILINE) for code in re.findall(r"`(\w+)`", row[1])}
    assert len(codes) >= 12
    assert codes == rows


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> Any:
    with shop(tmp_path_factory.mktemp("shop")) as service:
        return service.get("/openapi.json").json()


def test_the_document_names_what_it_uses_and_every_operation_has_an_example(document):
    whole = json.dumps(document)
    for name in set(re.findall(r"#/components/schemas/([\w.-]+)", whole)):
        assert name in document["components"]["schemas"]
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == 13
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (path, method)
            kinds = [*operation["responses"]["200"]["content"].values()]
            kinds += [*operation["requestBody"]["content"].values()] if "requestBody" in operation else []
            for kind in kinds:
                schema = {**kind["schema"], "components": document["components"]}
                jsonschema.validate(kind["example"], schema, cls=jsonschema.Draft202012Validator)
