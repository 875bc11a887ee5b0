"""The settings that a command on the data folder runs with, and the folder's lock.

What must stay true: no two processes that write to a data folder run at once.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tenantai.commands.terminal import Failed, Misused

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from tenantai.settings import Settings

LOCK_FILE = "server.lock"
FOLDER_MODE = 0o700
OTHERS_MASK = 0o077

Function = TypeVar("Function", bound=Callable[..., Any])


def data_dir_options(function: Function) -> Function:
    """Add `--data-dir` and `--config`."""
    folder = click.Path(file_okay=False, path_type=Path)
    file = click.Path(dir_okay=False, exists=True, path_type=Path)
    function = click.option("--config", type=file, envvar="TENANTAI_CONFIG", help="A TOML file with settings.")(function)
    return click.option("--data-dir", type=folder, help="The data folder (the platform's own).")(function)


def settings_of(config: Path | None, **given: Any) -> "Settings":
    """Return the settings; raises Misused with a sentence that never holds a value that was given."""
    from pydantic import ValidationError  # noqa: PLC0415  what a command works with is imported when it runs
    from pydantic_settings import SettingsError  # noqa: PLC0415

    from tenantai.settings import UnknownSettings, load_settings  # noqa: PLC0415

    try:
        return load_settings(config, **{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(_problem(problem) for problem in error.errors(include_url=False))
        raise Misused(f"The settings are not valid: {problems}.") from error
    except UnknownSettings as error:
        raise Misused(f"The settings are not valid: {error}.") from error
    except SettingsError as error:
        raise Misused("The settings are not valid: TENANTAI_PLANS, or one of its plans, must hold JSON.") from error
    except ValueError as error:
        raise Misused(f"The settings file {config} is not TOML: {error}.") from error
    except OSError as error:
        raise Misused(f"The settings file {config} can't be read: {error.strerror}.") from error


def folder_option(settings: "Settings") -> str:
    """Return the option that names this data folder, nothing where a command finds it without."""
    return "" if settings_of(None).data_dir == settings.data_dir else f" --data-dir {shlex.quote(str(settings.data_dir))}"


def refuse_unknown_variables() -> None:
    """Raise Misused where the environment holds a `TENANTAI_*` name that there is not."""
    from tenantai.settings import UnknownSettings, refuse_unknown  # noqa: PLC0415

    try:
        refuse_unknown(os.environ)
    except UnknownSettings as error:
        raise Misused(f"The settings are not valid: {error}.") from error


def _problem(problem: "ErrorDetails") -> str:
    from tenantai.settings import nearest, setting_names  # noqa: PLC0415
    from tenantai.validation import sentence  # noqa: PLC0415

    name = ".".join(map(str, problem["loc"]))
    if problem["type"] != "extra_forbidden":
        return f"{name} {sentence(problem)}"
    meant = nearest(name, setting_names())
    return f"{name} is no setting ({f'did you mean {meant}?' if meant else 'take it out'})"


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this process, making it where it is not there; raises Failed where another one holds it.

    What is made meanwhile is readable by its owner only, whoever makes it: SQLite and DuckDB ask nobody.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415

    umask = os.umask(OTHERS_MASK)
    try:
        data_dir.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        lock = FileLock(data_dir / LOCK_FILE, mode=0o600)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Failed(f"A tenantai server runs on {data_dir} already. Stop it first, or name another --data-dir.") from error
    except OSError as error:
        raise Failed(f"The data folder {data_dir} can't be used: {error.strerror}. Name another one with --data-dir.") from error
    else:
        try:
            yield
        finally:
            lock.release()
    finally:
        os.umask(umask)
