"""Local model files on their way to the data folder, with what a person sees of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tenantai.commands.configuration import folder_option
from tenantai.commands.terminal import console, say

if TYPE_CHECKING:
    from tenantai.settings import Settings

Progress = Callable[[str, int, int], None]
STEPS = 4
PULL = "tenantai models pull"


def needed_model(settings: "Settings") -> str | None:
    """Return the local model that these settings need, None where they need none."""
    from tenantai.server.models import LOCAL_MODEL  # noqa: PLC0415  what a command works with is imported when it runs

    return LOCAL_MODEL if settings.embedding == "local" else None


async def pull_if_missing(settings: "Settings") -> bool:
    """Fetch the local model where it is needed and not there; tells whether it came. Raises ProviderFailed."""
    from tenantai.providers import catalog  # noqa: PLC0415
    from tenantai.server.models import models_folder  # noqa: PLC0415

    model, folder = needed_model(settings), models_folder(settings)
    if model is None or catalog.installed(model, folder):
        return False
    await pull(model, settings)
    return True


async def pull(model: str, settings: "Settings") -> None:
    """Fetch a model's missing files, showing how far they are. Raises ProviderFailed."""
    from tenantai.errors import ProviderFailed  # noqa: PLC0415
    from tenantai.providers import catalog  # noqa: PLC0415
    from tenantai.server.models import models_folder  # noqa: PLC0415

    try:
        with shown_progress() as progress:
            await catalog.pull(model, folder=models_folder(settings), progress=progress)
    except ProviderFailed as failed:
        raise ProviderFailed(failed.message.replace(PULL, f"{PULL}{folder_option(settings)}")) from failed


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show downloads on stderr: a bar on a terminal, else a line a quarter."""
    if not console().is_terminal:
        yield _quarters()
        return
    from rich import progress as bars  # noqa: PLC0415

    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.DownloadColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=console(), transient=True) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def report(name: str, come: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(f"fetching {name}", total=total)
            bar.update(tasks[name], completed=come, total=total)

        yield report


def _quarters() -> Progress:
    told: dict[str, int] = {}

    def report(name: str, come: int, total: int) -> None:
        quarter = come * STEPS // max(total, 1)
        if quarter > told.get(name, 0):
            told[name] = quarter
            say(f"fetching {name}: {quarter * 100 // STEPS} %")

    return report
