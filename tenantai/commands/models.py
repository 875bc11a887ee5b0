"""`models`: the local model files of a data folder."""

import asyncio
from pathlib import Path

import click

from tenantai.commands.configuration import data_dir_options, folder_option, settings_of
from tenantai.commands.program import example
from tenantai.commands.terminal import Failed, Misused, as_json_option, say, show, show_json
from tenantai.sizes import size_words


@click.group(epilog=example("models pull"))
def models() -> None:
    """List, pull and verify local model files."""


@models.command("list", epilog=example("models list --json"))
@as_json_option
@data_dir_options
def list_models(*, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """List the models of the catalogue, and which are here."""
    from tenantai.providers import catalog  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.server.models import models_folder  # noqa: PLC0415

    folder = models_folder(settings_of(config, data_dir=data_dir))
    found = [
        {
            "id": model.id,
            "installed": catalog.installed(model.id, folder),
            "bytes": sum(file.pin.size_bytes for file in model.files),
            "licence": model.licence,
            "purpose": model.purpose,
            "files": [{"name": f.name, "bytes": f.pin.size_bytes, "sha256": f.pin.sha256} for f in model.files],
        }
        for model in catalog.CATALOG.values()
    ]
    found += [
        {
            "id": d.id,
            "installed": (folder / d.id / d.file).is_file(),
            "licence": d.licence,
            "purpose": d.purpose,
            "source": d.source,
        }
        for d in catalog.DETECTORS
    ]
    if as_json:
        show_json(found)
        return
    for detector in catalog.DETECTORS:
        place = folder / detector.id / detector.file
        state = "put by hand" if place.is_file() else f"to be put by hand to {place}, from {detector.source}"
        show(f"{detector.id}  {detector.licence}  {state}  {detector.purpose}")
    for model in catalog.CATALOG.values():
        size = size_words(sum(file.pin.size_bytes for file in model.files))
        state = "installed" if catalog.installed(model.id, folder) else "not installed"
        show(f"{model.id}  {size}  {model.licence}  {state}  {model.purpose}")


@models.command(epilog=example("models pull all-MiniLM-L6-v2-int8"))
@click.argument("model", required=False)
@data_dir_options
def pull(model: str | None, data_dir: Path | None, config: Path | None) -> None:
    """Pull a model's files (all of the catalogue's)."""
    from tenantai.commands.model_files import pull as fetch  # noqa: PLC0415
    from tenantai.errors import ProviderFailed  # noqa: PLC0415

    settings = settings_of(config, data_dir=data_dir)
    for model_id in _chosen(model):
        try:
            asyncio.run(fetch(model_id, settings))
        except ProviderFailed as error:
            raise Failed(error.message) from error
        say(f"{model_id} is here and verified.")


@models.command(epilog=example("models verify"))
@click.argument("model", required=False)
@as_json_option
@data_dir_options
def verify(model: str | None, *, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Compare the files with the catalogue's hashes."""
    from tenantai.providers import catalog  # noqa: PLC0415
    from tenantai.server.models import models_folder  # noqa: PLC0415

    settings = settings_of(config, data_dir=data_dir)
    folder = models_folder(settings)
    problems = {model_id: catalog.verify(model_id, folder) for model_id in _chosen(model)}
    if as_json:
        show_json([{"id": model_id, "ok": not found, "problems": found} for model_id, found in problems.items()])
    else:
        for model_id, found in problems.items():
            show(f"{model_id}: {' '.join(found) or 'ok'}")
    if any(problems.values()):
        raise Failed(f"Some model files are missing or wrong. Run `tenantai models pull{folder_option(settings)}`.")


def _chosen(model: str | None) -> list[str]:
    from tenantai.errors import NotFound  # noqa: PLC0415
    from tenantai.providers import catalog  # noqa: PLC0415

    if model is None:
        return list(catalog.CATALOG)
    try:
        return [catalog.entry(model).id]
    except NotFound as error:
        raise Misused(error.message) from error
