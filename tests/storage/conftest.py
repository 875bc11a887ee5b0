"""What tests of storage share."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tenantai.storage.database import Database


@pytest.fixture
async def database(tmp_path: Path, migrated: Path) -> AsyncIterator[Database]:
    """An empty database."""
    path = tmp_path / "tenantai.sqlite3"
    shutil.copy(migrated, path)
    opened = Database(path)
    await opened.open()
    yield opened
    await opened.close()
