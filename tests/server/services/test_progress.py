"""What progress says of the time that is left."""

from datetime import timedelta

from tenantai.identifiers import now, timestamp
from tenantai.server.services.progress import _eta


def test_time_left() -> None:
    """It goes by the pace so far, and is not told where the clock was set back before the start."""
    assert 59 <= (_eta(timestamp(now() - timedelta(seconds=60)), 50.0) or 0) <= 61
    assert _eta(timestamp(now() + timedelta(days=1)), 50.0) is None
