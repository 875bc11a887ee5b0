"""`openapi`: the description of the HTTP API, without a server."""

import click

from tenantai.commands.program import example
from tenantai.commands.terminal import show


@click.command(epilog=example("openapi > openapi.json"))
def openapi() -> None:
    """Print the API's OpenAPI 3.1 description."""
    from tenantai.server.openapi.document import Document  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.server.openapi.operations import OPERATIONS  # noqa: PLC0415
    from tenantai.server.routes import ROUTES  # noqa: PLC0415
    from tenantai.server.routes.description import rendered  # noqa: PLC0415

    show(rendered(Document(ROUTES, OPERATIONS).build()).decode())
