"""`serve`: one server process, from its settings to its end.

What must stay true: the one line on stdout comes once requests can be taken; SIGTERM and SIGINT drain, and the exit code is 0.
"""

import asyncio
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import data_dir_options, locked, settings_of
from tenantai.commands.program import as_called, example
from tenantai.commands.terminal import Failed, Misused, show

if TYPE_CHECKING:
    from aiohttp import web

    from tenantai.providers.protocols import EmbeddingModel
    from tenantai.settings import Settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command(epilog=example("serve --port 8420 --data-dir ./data"))
@click.option("--host", help="The address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on (8420); 0 takes a free one.")
@data_dir_options
def serve(host: str | None, port: int | None, data_dir: Path | None, config: Path | None) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    from tenantai.server.logs import configure_logs  # noqa: PLC0415  what a command works with is imported when it runs

    settings = settings_of(config, host=host, port=port, data_dir=data_dir)
    configure_logs(settings.log_level, settings.log_format)
    with locked(settings.data_dir):
        asyncio.run(_serve(settings))
    _drop_what_nobody_reads()


async def _serve(settings: "Settings") -> None:
    stop = _stop_on_signals()
    starting, stopped = asyncio.create_task(_start(settings)), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    with suppress(asyncio.CancelledError):
        runner = await starting
        await stopped
        await runner.cleanup()


def _drop_what_nobody_reads() -> None:
    """Let lines go that can't be written, for Python would end with 120 because of them."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _stop_on_signals() -> asyncio.Event:
    """Return what the first signal sets; the second ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop


async def _start(settings: "Settings") -> "web.AppRunner":
    """Return a runner that listens, having said so. Raises Failed or Misused."""
    from tenantai import __version__  # noqa: PLC0415

    await _require_free(settings)
    gc.disable()  # what is imported stays: to look for garbage among it again and again takes a tenth of the start
    await _fetch_model(settings)
    embedding = _embedding(settings)
    from tenantai.server.protocol import Runner  # noqa: PLC0415  half a second, while the model is read

    app = await _application(settings, embedding)
    runner = Runner(app, shutdown_timeout_seconds=settings.shutdown_timeout_seconds)
    try:
        await _listen(runner, settings)
        gc.enable()
        gc.freeze()  # a full collection would look at all that was imported, and stop every request for 70 ms
        show(f"tenantai {__version__} serving on {_address(runner, settings.host)}")
    except BaseException:
        await runner.cleanup()
        raise
    return runner


async def _require_free(settings: "Settings") -> None:
    """Raise Failed where the address is taken, before anything is fetched or read for it."""
    try:
        probe = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, settings.host, settings.port, start_serving=False
        )
    except OSError as error:
        raise _not_listening(settings, error) from error
    probe.close()
    await probe.wait_closed()


async def _fetch_model(settings: "Settings") -> None:
    """Fetch the local model where it is missing; without it the server runs, and says so."""
    import structlog  # noqa: PLC0415

    from tenantai.commands.model_files import pull_if_missing  # noqa: PLC0415
    from tenantai.errors import ProviderFailed  # noqa: PLC0415
    from tenantai.server.models import require_keys  # noqa: PLC0415
    from tenantai.settings import SettingsIncomplete  # noqa: PLC0415

    try:
        require_keys(settings)
        if settings.embedding == "local":
            await pull_if_missing(settings)
    except SettingsIncomplete as error:
        raise Misused(str(error)) from error
    except ProviderFailed as error:
        structlog.get_logger("tenantai.serve").warning("serving without the local model", problem=as_called(error.message))


def _embedding(settings: "Settings") -> "EmbeddingModel":
    """Return the model that embeds; a local one is read on a thread of its own from now on. Raises Misused."""
    from tenantai.server.models import embedding_model  # noqa: PLC0415
    from tenantai.settings import SettingsIncomplete  # noqa: PLC0415

    try:
        return embedding_model(settings, begins=True)
    except SettingsIncomplete as error:
        raise Misused(str(error)) from error


async def _application(settings: "Settings", embedding: "EmbeddingModel") -> "web.Application":
    """Return the application, or the one that only says what to do where a migration is half done."""
    import structlog  # noqa: PLC0415

    from tenantai.server.app import Models, create_app  # noqa: PLC0415
    from tenantai.server.maintenance import create_maintenance_app  # noqa: PLC0415
    from tenantai.settings import SettingsIncomplete  # noqa: PLC0415
    from tenantai.storage.migrating import HalfMigrated, MigrationRefused, migrate  # noqa: PLC0415

    try:
        await asyncio.to_thread(migrate, settings.data_dir)
    except HalfMigrated as half:
        structlog.get_logger("tenantai.serve").error("a migration is half done", problem=str(half))
        await embedding.close()
        return create_maintenance_app(str(half))
    except MigrationRefused as refused:
        raise Failed(str(refused)) from refused
    try:
        return create_app(settings, Models.of(settings, embedding))
    except SettingsIncomplete as error:
        raise Misused(str(error)) from error


async def _listen(runner: "web.AppRunner", settings: "Settings") -> None:
    from aiohttp import web  # noqa: PLC0415

    from tenantai.settings import SettingsIncomplete  # noqa: PLC0415

    try:
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
    except SettingsIncomplete as error:
        raise Misused(str(error)) from error
    except OSError as error:
        raise _not_listening(settings, error) from error


def _not_listening(settings: "Settings", error: OSError) -> Failed:
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f"{settings.host}:{settings.port}"
    return Failed(f"The server can't listen on {where}: {reason}. Choose another --port, or stop what uses it.")


def _address(runner: "web.AppRunner", host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{runner.addresses[0][1]}"
