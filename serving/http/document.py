"""The OpenAPI document: what FastAPI knows of the routes, and what it does not."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from serving.http.examples import EXAMPLES
from serving.http.route import RIGHT
from serving.site import Site

ABOUT = """Learning to retrieve: search, say what people did with the results, and the next search has learned from it.

Every answer that is no success is `{"error": {"code", "message", "problems"}}`, and says what to do. Where the server has API tokens,
`x-scope` says which scope a route needs; the header is `Authorization: Bearer TOKEN`."""
_REF = "#/components/schemas/{model}"


def describe(app: FastAPI, site: Site) -> None:
    """Make `app.openapi()`, and with it GET /openapi.json, whole."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, site)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, site: Site) -> dict[str, Any]:
    document = get_openapi(title=f"Forage: {site.name}", version="1", description=ABOUT, routes=app.routes)
    components = document["components"]
    events = [(model, "validation") for model in (Action, Impression, SuggestAccept, SuggestImpression)]
    components["schemas"] |= models_json_schema(events, ref_template=_REF)[1]["$defs"] | components["schemas"]  # type: ignore[arg-type]
    if not site.access.open:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _illustrate(operation, *EXAMPLES[method, path])
            if site.access.open or RIGHT not in operation:
                operation.pop("security", None)
    return document


def _illustrate(operation: dict[str, Any], asked: object, answered: object) -> None:
    for kind in operation["responses"]["200"]["content"].values():
        kind["example"] = answered
    for kind in operation.get("requestBody", {}).get("content", {}).values():
        kind["example"] = asked
