"""`forage topics acls`: the rights that each role needs on the broker."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from ops.commands.options import AsJson, Bootstrap, here, show


def acls(
    role: Annotated[
        Literal["producer", "search", "worker", "publisher", "operator"],
        typer.Option(
            help="producer sends events; search does so and reads policy and memory; worker and publisher are the two halves of `forage "
            "worker`; operator makes topics, reads all, gives orders.",
        ),
    ],
    principal: Annotated[str, typer.Option(help="Who gets them, as the broker knows it: User:NAME.")],
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Print the rights of a role on a secured broker.

    As lines for Kafka's own tool, which the broker's administrator runs; nothing is changed by this command.
    """
    from streams.access import acl_lines, rights

    config = here(bootstrap)
    lines = acl_lines(role, principal, bootstrap=config.bootstrap, group=config.group)
    if json:
        return show({"principal": principal, "rights": [asdict(right) for right in rights(role, group=config.group)]})
    typer.echo("\n".join(lines))
