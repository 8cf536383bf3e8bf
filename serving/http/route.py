"""How a route of the API is reached: the right it needs, then its body, as strict JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from schemas.explain import explain_parser
from serving.access import Scope as Right
from serving.http.answers import Stop, of_body
from serving.http.guard import check_right

RIGHT = "x-scope"  # of an API token that may call a route: said in the OpenAPI document, and read from there
_EXACT = 2**53  # from here on a float is whole whatever was meant
BEACON = "x-beacon"  # set on a route that takes its JSON as text/plain too, which is what navigator.sendBeacon can send to another site


def needs(right: Right | None, *, beacon: bool = False) -> dict[str, Any]:
    """What a route adds to the OpenAPI document."""
    security: dict[str, Any] = {} if right is None else {RIGHT: right, "security": [{"token": []}]}
    return security | ({BEACON: True} if beacon else {})


class Guarded(APIRoute):
    """A route that checks the right before it looks at anything else, and takes only strict JSON in UTF-8."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler, extra, takes_body = super().get_route_handler(), self.openapi_extra or {}, self.body_field is not None
        right, types = extra.get(RIGHT), ("application/json", "text/plain") if extra.get(BEACON) else ("application/json",)

        async def guarded(request: Request) -> Response:
            if right is not None:
                check_right(request.state.grant, right)
            scope = _with_type(request, types) if takes_body else request.scope
            return await handler(_Json(scope, request.receive))

        return guarded


class _Json(Request):
    async def json(self) -> Any:
        body = await self.body()
        try:
            return _with_integers(from_json(body, allow_inf_nan=False))
        except ValueError as error:
            problems = [of_body(explain_parser(str(error), body))]
            raise Stop(400, "no_json", "the body is no JSON; mend what problems says", problems=problems) from None


def _with_integers(value: Any) -> Any:
    """Parsed JSON with 3.0 as 3: in JSON Schema both are the same integer, and strict fields take the latter alone."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if type(value) is list:
        return [_with_integers(one) for one in value]
    return {name: _with_integers(one) for name, one in value.items()} if type(value) is dict else value


def _with_type(request: Request, types: tuple[str, ...]) -> dict[str, Any]:
    """The request's scope as one of JSON. Raises Stop (415)."""
    said, _, parameter = request.headers.get("content-type", "").partition(";")
    charset = parameter.strip().lower().removeprefix("charset=").strip('"')
    if said.strip().lower() not in types or charset not in ("", "utf-8", "utf8"):
        raise Stop(415, "not_json_type", f"the body must be JSON in UTF-8; send the header Content-Type: {types[0]}")
    headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    return {**request.scope, "headers": [*headers, (b"content-type", b"application/json")]}
