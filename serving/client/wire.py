"""HTTP connections that are kept open; answers as JSON, refusals as errors with what the service said."""

import http.client
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


class ClientError(Exception):
    """What goes wrong between a client and the service."""


class Unreachable(ClientError):
    """No answer: the service is away, or too slow."""


class Refused(ClientError):
    """The service answered with a refusal. `status`: of HTTP; `code`, `problems`: its own; `retry_after`: seconds, None when trying again
    helps nothing."""

    def __init__(self, status: int, code: str, message: str, *, problems: list[str], retry_after: float | None) -> None:
        self.status, self.code, self.problems, self.retry_after = status, code, problems, retry_after
        super().__init__(f"{status} {code}: {message}" + "".join(f"; {problem}" for problem in problems))


class Wire:
    """Calls to one service, from any thread: as many connections as calls at once."""

    def __init__(self, url: str, *, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a service; write http://127.0.0.1:8080")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout, self._idle = timeout, list[http.client.HTTPConnection]()

    def post(self, path: str, body: Json) -> Json:
        """The answer to a body. Raises Refused, Unreachable."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        status, retry_after, answer = self._answer(path, data)
        try:
            plain = json.loads(answer)
        except ValueError:
            plain = None
        if not isinstance(plain, dict):
            raise Unreachable(f"{self._host}{path} answered {status} with something that is no JSON; is this the service's address?")
        if status != HTTPStatus.OK:
            said = plain.get("error") or {}
            raise Refused(
                status, said.get("code", "?"), said.get("message", "no reason given"), problems=said.get("problems", []),
                retry_after=float(retry_after) if retry_after is not None and retry_after.isdigit() else None,
            )  # fmt: skip
        return plain

    def _answer(self, path: str, data: bytes) -> tuple[int, str | None, bytes]:
        """Status, Retry-After, body. Connections that the service closed while they lay idle are passed over."""
        while True:
            kept = self._kept()
            connection = kept or self._kind(self._host, self._port, timeout=self._timeout)
            try:
                connection.request("POST", self._path + path, data, self._headers)
                response = connection.getresponse()
                answer = response.status, response.getheader("Retry-After"), response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept is None or isinstance(error, TimeoutError):
                    raise Unreachable(f"{self._host}:{self._port or ''} does not answer ({error!r}); is the service running?") from error
            else:
                self._idle.append(connection)
                return answer

    def close(self) -> None:
        """Close what lies idle; the next call opens anew."""
        while (connection := self._kept()) is not None:
            connection.close()

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None
