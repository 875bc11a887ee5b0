"""What `doctor` looks at in a data folder; each check ends in ok, warn or fail, with what to do.

What must stay true: looking changes nothing, also beside a running server.
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tenantai.commands.configuration import folder_option
from tenantai.sizes import size_words

if TYPE_CHECKING:
    from tenantai.settings import Settings
    from tenantai.storage.database import Reading

Status = Literal["ok", "warn", "fail"]

FREE_BYTES_WARN, FREE_BYTES_FAIL = 1_000_000_000, 100_000_000
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
SECRET_FILES = ("operator.key", "quickstart.json")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check."""

    check: str
    status: Status
    message: str

    def json_ready(self) -> dict[str, str]:
        """Return it for `--json`."""
        return asdict(self)


async def findings(settings: "Settings", *, is_rebuilding: bool = False) -> list[Finding]:
    """Look at everything; where stores are to be rebuilt, their old vectors are no news."""
    chosen = f"chats: {settings.chat_provider}, embedding: {settings.embedding}"
    looked = [Finding("settings", "ok", f"valid ({chosen})")]
    looked += [check(settings) for check in CHECKS]
    if looked[-1].status == "ok":
        rebuilding = Finding("stores", "ok", "in the queue for the chosen embedding model, where another one built them")
        looked += [rebuilding if is_rebuilding else await _stores(settings), await _usage(settings)]
    return looked


def _folder(settings: "Settings") -> Finding:
    folder = settings.data_dir
    if not folder.exists():
        return Finding("folder", "warn", f"{folder} is not there yet; the first start makes it.")
    secrets = [path for path in (folder / name for name in SECRET_FILES) if _is_open_to_others(path)]
    if secrets:
        return Finding("folder", "fail", f"Others can read {_names(secrets)}. Run: chmod go= {_names(secrets)}")
    if _is_open_to_others(folder):
        return Finding("folder", "warn", f"Others can look into {folder}. Run: chmod go= {folder}")
    if folder.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
        return Finding("folder", "fail", f"{folder} can't be written. Run: chmod u+rwx {folder}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding("folder", "fail", f"{folder} can't be written: it is another user's, or its disk is mounted read-only.")
    return Finding("folder", "ok", str(folder))


def _is_open_to_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & OTHERS_MAY)


def _names(paths: list[Path]) -> str:
    return " ".join(map(str, paths))


def _disk(settings: "Settings") -> Finding:
    folder = next(path for path in (settings.data_dir, *settings.data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_WARN:
        status: Status = "fail" if free < FREE_BYTES_FAIL else "warn"
        return Finding("disk", status, f"Only {size_words(free)} are free. Make room before uploads fail.")
    return Finding("disk", "ok", f"{size_words(free)} free")


def _model_files(settings: "Settings") -> Finding:
    from tenantai.commands.model_files import needed_model  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.providers import catalog  # noqa: PLC0415
    from tenantai.server.models import models_folder  # noqa: PLC0415

    model = needed_model(settings)
    if model is None:
        return Finding("models", "ok", "no local model is needed")
    problems = catalog.verify(model, models_folder(settings))
    if problems:
        return Finding("models", "fail", f"{model}: {' '.join(problems)} Run `tenantai models pull{folder_option(settings)}`.")
    return Finding("models", "ok", f"{model} verified")


def _providers(settings: "Settings") -> Finding:
    from tenantai.server.models import chat_model, embedding_model  # noqa: PLC0415
    from tenantai.settings import SettingsIncomplete  # noqa: PLC0415

    try:
        chat_model(settings, embedding_model(settings))
    except SettingsIncomplete as error:
        return Finding("providers", "fail", str(error))
    except ImportError as error:
        return Finding("providers", "fail", f"A package is missing ({error.name}). Install tenantai[local].")
    return Finding("providers", "ok", "configured")


def _database(settings: "Settings") -> Finding:
    from tenantai.storage.migrating import HEAD, MIGRATIONS, Layout, MigrationRefused, migrate, revision  # noqa: PLC0415

    layout = Layout(settings.data_dir)
    try:
        found = revision(layout.database)
        if found is None and not layout.mark.exists():
            return Finding("database", "warn", "There is none yet; the first start makes it.")
        if layout.mark.exists() or not any(MIGRATIONS.glob(f"versions/{found}_*.py")):
            migrate(settings.data_dir)
        with closing(sqlite3.connect(f"{layout.database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            problem = str(connection.execute("PRAGMA quick_check").fetchone()[0])
    except MigrationRefused as refused:
        return Finding("database", "fail", str(refused))
    except sqlite3.Error as error:
        problem = str(error)
    if problem != "ok":
        return Finding(
            "database", "fail", f"It is damaged ({problem}). Restore a copy: `tenantai restore COPY{folder_option(settings)}`"
        )
    if found != HEAD:
        return Finding("database", "warn", f"Its schema is {found}; the next start brings it to {HEAD}.")
    return Finding("database", "ok", f"schema {found}, sound")


CHECKS: tuple[Callable[["Settings"], Finding], ...] = (_folder, _disk, _providers, _model_files, _database)


async def _stores(settings: "Settings") -> Finding:
    others = await stores_of_other_models(settings)
    if not others:
        return Finding("stores", "ok", "all of the chosen embedding model")
    models = ", ".join(sorted({model for _, model, _ in others}))
    message = f"{len({tenant for tenant, _, _ in others})} stores were built with {models}, which is not the model chosen now."
    return Finding("stores", "warn", f"{message} Stop the server and run `tenantai doctor --rebuild{folder_option(settings)}`.")


async def _usage(settings: "Settings") -> Finding:
    import time  # noqa: PLC0415

    from tenantai.errors import first_of  # noqa: PLC0415
    from tenantai.server.services.metering.proof import drift  # noqa: PLC0415

    async with _reading(settings) as reading:
        counters, found = await drift(reading, moment=time.time())
    if found:
        return Finding("usage", "fail", f"{len(found)} of {counters} counters differ from their events: {first_of(found)}")
    return Finding("usage", "ok", f"drift 0 in {counters} counters of days and months")


async def stores_of_other_models(settings: "Settings") -> list[tuple[str, str, int]]:
    """Return (tenant id, model, vectors) where a store was built with another embedding model."""
    from tenantai.server.models import embedding_model  # noqa: PLC0415
    from tenantai.storage import across_tenants  # noqa: PLC0415

    chosen = embedding_model(settings)
    await chosen.close()
    async with _reading(settings) as reading:
        return await across_tenants.vectors_of_other_models(reading, model=chosen.model)


@asynccontextmanager
async def _reading(settings: "Settings") -> AsyncGenerator["Reading"]:
    from tenantai.storage.database import Reading, connect  # noqa: PLC0415
    from tenantai.storage.migrating import Layout  # noqa: PLC0415

    connection = await connect(Layout(settings.data_dir).database, read_only=True)
    try:
        yield Reading(connection)
    finally:
        await connection.close()
