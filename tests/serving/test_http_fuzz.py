"""What the OpenAPI document promises holds for whatever somebody sends: schemathesis makes the requests and checks the answers."""

from contextlib import suppress

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.serving.http_shop import shop

HERE = {"host": "localhost"}
FEW = settings(max_examples=10, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck])
# What a decision says and what was found must agree: no schema can say so, and what the schema allows is refused.
BETWEEN_FIELDS = {"/rank": [positive_data_acceptance]}


def test_whatever_is_sent_the_document_is_kept(tmp_path):
    with shop(tmp_path) as service:
        schema = schemathesis.openapi.from_asgi("/openapi.json", service.app, headers=HERE)
        operations = [found.ok() for found in schema.get_all_operations()]
        counts = {(operation.label, mode): fuzzed(operation, mode) for operation in operations for mode in GenerationMode}
        assert len(counts) == 2 * 13
        assert sum(counts.values()) > 150


def fuzzed(operation, mode: GenerationMode) -> int:
    """How many requests were sent to a route: right ones, or (where it takes anything) wrong ones."""
    sent = 0

    @seed(7)
    @FEW
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        nonlocal sent
        sent += 1
        case.call_and_validate(headers=HERE, excluded_checks=BETWEEN_FIELDS.get(operation.path, []))

    with suppress(Unsatisfiable):
        send()
    return sent
