"""What progress says of the time that is left."""

from datetime import timedelta

from tenantai.identifiers import now, timestamp
from tenantai.server.services.progress import _eta, _not_before
from tenantai.wire.files import FileProgress


def test_time_left() -> None:
    """It goes by the pace so far, and is not told where the clock was set back before the start."""
    assert 59 <= (_eta(timestamp(now() - timedelta(seconds=60)), 50.0) or 0) <= 61
    assert _eta(timestamp(now() + timedelta(days=1)), 50.0) is None


def test_no_file_outlasts_its_operation() -> None:
    """The time left of all is not less than that of one file."""
    file = FileProgress(
        id="1",
        name="a",
        stage="embedding",
        percentage=30,
        done=1,
        total=2,
        rate=1,
        rate_unit="chunks_per_second",
        eta_seconds=111,
    )
    assert _not_before(33.0, [file]) == 111
    assert _not_before(333.0, [file, file.model_copy(update={"eta_seconds": None})]) == 333
    assert _not_before(33.0, []) == 33
    assert _not_before(None, [file]) is None
