"""The product without limits and metering, to be measured beside the product: what is left out is what they cost.

What must stay true: every other step of a request is there, the look at who asks and at the tenant's ledger too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from tenantai.server import middlewares
from tenantai.server.services.metering.meter import Meter


@contextmanager
def unmetered() -> Iterator[None]:
    """Have requests neither held against limits nor counted nor written down, and answers without the usage headers."""
    with (
        patch.object(Meter, "admit", _nothing),
        patch.object(middlewares, "write_down", _nothing),
        patch.object(middlewares, "add_usage", _nothing),
    ):
        yield


def _nothing(*_: object) -> None:
    """Stand in for a step that is left out."""
