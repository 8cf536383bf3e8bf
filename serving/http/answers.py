"""Refusals as answers: one shape for all of them, with a code for programs and the remedy for people."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.errors import ForageError, InvalidMessage, InvalidSetting, NotAllowed, NotFound, Unavailable
from schemas.explain import explain_problems

_LOG = logging.getLogger(__name__)


class Refusal(BaseModel):
    """Why a request was refused. `problems`: one line per field: field, rule, remedy."""

    code: str = Field(examples=["invalid"])
    message: str = Field(examples=["the request breaks the schema; mend the fields under problems"])
    problems: list[str] = Field(examples=[["k: must be at most 100, got 500; send a value inside the limits"]])


class Refused(BaseModel):
    """Every answer that is no success."""

    error: Refusal


class Stop(HTTPException):
    """A refusal on its way out, from wherever it is noticed."""

    def __init__(
        self, status: int, code: str, message: str, *, problems: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, headers)
        self.code, self.problems = code, problems

    @property
    def answer(self) -> Response:
        """The refusal as JSON."""
        return refused(self.status_code, self.code, str(self.detail), problems=self.problems, headers=self.headers)


def busy(message: str) -> Stop:
    """No room now: try again in a second."""
    return Stop(503, "busy", message, headers={"Retry-After": "1"})


def refused(status: int, code: str, message: str, *, problems: Sequence[str] = (), headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as JSON."""
    body = Refused(error=Refusal(code=code, message=message, problems=list(problems)))
    return Response(body.model_dump_json(), status, headers=headers, media_type="application/json")


def json_answer(message: BaseModel, status: int = 200) -> Response:
    """A message as JSON, written in one step: nothing is validated again on its way out."""
    return Response(message.__pydantic_serializer__.to_json(message), status, media_type="application/json")


def of_body(line: str) -> str:
    """The line of a problem of the whole; what is a message elsewhere is the body here."""
    return line.replace("message:", "body:", 1) if line.startswith("message:") else line


async def on_invalid(request: Request, error: Exception) -> Response:
    """Fields that break the schema."""
    assert isinstance(error, RequestValidationError)
    problems = [{**problem, "loc": tuple(problem["loc"])[1:]} for problem in error.errors()]
    _count(request, "invalid")
    message = "the request breaks the schema; mend the fields under problems"
    return refused(422, "invalid", message, problems=[of_body(line) for line in explain_problems(problems)])


async def on_stop(request: Request, error: Exception) -> Response:
    """Our own refusals, and those of the router: no such page, no such method."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Stop):
        _count(request, error.code)
        return error.answer
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the router names the methods of one route alone
        here = [one.methods or () for one in request.app.routes if isinstance(one, Route) and one.path_regex.match(request.url.path)]
        headers["Allow"] = ", ".join(sorted({method for methods in here for method in methods}))
    known = {
        404: ("not_found", f"there is nothing at {request.url.path[:200]}; GET /openapi.json lists what is there"),
        405: ("method_not_allowed", f"{request.url.path[:200]} takes another method; the header Allow lists them"),
    }
    code, message = known.get(error.status_code, (HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"), str(error.detail)))
    _count(request, code)
    return refused(error.status_code, code, message, headers=headers)


_KINDS: dict[type[ForageError], tuple[int, str]] = {  # the first that fits: NotAllowed is an Unavailable
    InvalidMessage: (422, "invalid"),
    InvalidSetting: (422, "invalid"),
    NotFound: (404, "not_found"),
    NotAllowed: (403, "not_allowed"),
    Unavailable: (503, "unavailable"),
}


async def on_forage_error(request: Request, error: Exception) -> Response:
    """What the parts behind refuse; their texts already name the remedy."""
    status, code = next((said for kind, said in _KINDS.items() if isinstance(error, kind)), (503, "unavailable"))
    if not isinstance(error, tuple(_KINDS)):
        _LOG.error("refused for what is wrong here: %s", error)
    _count(request, code)
    problems = error.problems if isinstance(error, InvalidMessage) else ()
    return refused(status, code, str(error), problems=problems, headers={"Retry-After": "5"} if status == 503 else None)


async def on_bug(request: Request, error: Exception) -> Response:
    """What should never happen. The traceback goes to the log, where the server puts it; the caller sees none of it."""
    _count(request, "internal")
    return refused(500, "internal", "something is wrong in this server, its log says what; try again, and report it if it stays")


def _count(request: Request, code: str) -> None:
    request.app.state.site.live.refused(code)


HANDLERS = {RequestValidationError: on_invalid, HTTPException: on_stop, ForageError: on_forage_error, Exception: on_bug}
_SAID = {
    400: "The body is no JSON.",
    401: "An API token is missing, or not known.",
    403: "The API token lacks the scope, or the token of the search is not good for this.",
    404: "It is not there, or no longer.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "Fields break the schema.",
    429: "Too many requests of this client. Retry-After says how long to wait.",
    503: "No room, or something that is needed is not there now. Retry-After says how long to wait.",
}


def refusals(*more: int, body: bool = False) -> dict[int | str, dict[str, object]]:
    """The refusals of a route, for the OpenAPI document. `body`: it takes one."""
    wait = {"headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}}
    which = sorted({401, 403, 422, 429, 503, *more, *((400, 408, 413, 415) if body else ())})
    return {code: {"model": Refused, "description": _SAID[code], **(wait if code in (429, 503) else {})} for code in which}
