"""`forage topics acls`: the table of rights, as lines and as JSON."""

import json

import pytest
from typer.testing import CliRunner

from ops.cli import app
from streams.access import ROLES, acl_lines, rights


@pytest.mark.parametrize("role", ROLES)
def test_every_role_of_the_table_is_printed_for_this_installations_broker_and_group(role):
    environment = {"FORAGE_BOOTSTRAP": "kafka:9093", "FORAGE_GROUP": "shop"}  # asks no broker, so the plaintext rule has nothing to say
    words = ["topics", "acls", "--role", role, "--principal", "User:x"]
    assert CliRunner().invoke(app, words, env=environment).stdout.splitlines() == acl_lines(
        role, "User:x", bootstrap="kafka:9093", group="shop"
    )
    said = json.loads(CliRunner().invoke(app, [*words, "--json"], env=environment).stdout)
    assert [(one["kind"], one["name"], tuple(one["operations"])) for one in said["rights"]] == [
        (right.kind, right.name, right.operations) for right in rights(role, group="shop")
    ]


def test_what_is_no_principal_is_refused():
    done = CliRunner().invoke(app, ["topics", "acls", "--role", "search", "--principal", "search"])
    assert (done.exit_code, done.stderr) == (
        1,
        "error: principal 'search' is none: must be User:NAME, NAME as the broker knows it; write User:search\n",
    )
