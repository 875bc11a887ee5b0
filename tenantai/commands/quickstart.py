"""`quickstart`: from an empty folder to a streamed, cited answer, and what to do next.

What must stay true: run again on the same folder it neither registers nor indexes twice; the server it starts ends with it.
"""

import asyncio
import json
import os
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.answering import show_answer
from tenantai.commands.configuration import data_dir_options, folder_option, settings_of
from tenantai.commands.indexing_bar import show_indexing
from tenantai.commands.local_server import local_server
from tenantai.commands.model_files import pull_if_missing
from tenantai.commands.program import example, program
from tenantai.commands.terminal import Failed, console, one_line, show

if TYPE_CHECKING:
    from tenantai.client import Client
    from tenantai.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTIONS = (
    "When may the goods be sold if the rent is not paid?",
    "What does an L12 unit cost a month at Quayside?",
)
NAME = "Quickstart"
KEY_FILE = "quickstart.json"
FOLDER_MODE = 0o700


@click.command(epilog=example("quickstart --data-dir ./data"))
@data_dir_options
def quickstart(data_dir: Path | None, config: Path | None) -> None:
    """Index the example documents and ask two questions."""
    settings = settings_of(config, data_dir=data_dir)
    try:
        asyncio.run(_quickstart(settings, config))
    except asyncio.CancelledError as stopped:
        raise click.Abort from stopped


async def _quickstart(settings: "Settings", config: Path | None) -> None:
    from tenantai.client import Client, ClientError  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.errors import ProviderFailed  # noqa: PLC0415

    _stop_at_sigterm()
    examples = _examples()
    try:
        await asyncio.to_thread(settings.data_dir.mkdir, mode=FOLDER_MODE, parents=True, exist_ok=True)
        await _fetch_model(settings)
        environment = {"TENANTAI_REGISTRATION": "open", **({"TENANTAI_CONFIG": str(config)} if config else {})}
        log = settings.data_dir / "quickstart.log"
        async with local_server(settings.data_dir, log=log, environment=environment) as url:
            credentials = await _credentials(url, settings.data_dir / KEY_FILE)
            async with Client(url, credentials["apiKey"]) as client:
                await _index(client, credentials["tenantId"], examples)
                for question in QUESTIONS:
                    await _ask(client, credentials["tenantId"], question)
    except (ClientError, ProviderFailed) as error:
        raise Failed(error.message) from error
    _show_next_steps(settings, config, credentials["tenantId"])


def _stop_at_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does, the server with it."""
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)


def _examples() -> list[Path]:
    found = sorted(p for p in EXAMPLES.glob("*") if p.is_file() and not p.name.startswith("."))
    if not found:
        raise Failed(f"There are no example documents in {EXAMPLES}. Run quickstart from a checkout of the repository.")
    return found


async def _fetch_model(settings: "Settings") -> None:
    if await pull_if_missing(settings):
        _heading("The local embedding model is here and verified.")


async def _credentials(url: str, path: Path) -> Mapping[str, str]:
    """Return the tenant's id and key: those of the last time where the server still takes them, else new ones."""
    from tenantai.client import Client, ClientError  # noqa: PLC0415

    kept = await asyncio.to_thread(_kept, path)
    if kept is not None:
        try:
            async with Client(url, kept["apiKey"]) as client:
                if [tenant.id async for tenant in client.tenants.all()] == [kept["tenantId"]]:
                    return kept
        except ClientError as error:
            if error.code != "UNAUTHORIZED":
                raise
    async with Client(url) as client:
        email = f"quickstart-{os.urandom(4).hex()}@example.com"
        registered = await client.tenants.register(email=email, organization_name=NAME)
    made = {"tenantId": registered.tenant_id, "apiKey": registered.api_key}
    await asyncio.to_thread(_keep, path, made)
    return made


def _kept(path: Path) -> Mapping[str, str] | None:
    try:
        kept = json.loads(path.read_text())
        return {"tenantId": str(kept["tenantId"]), "apiKey": str(kept["apiKey"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, made: Mapping[str, str]) -> None:
    """Write the key for its owner's eyes alone, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(made, file)
    unfinished.replace(path)


async def _index(client: "Client", tenant_id: str, examples: list[Path]) -> None:
    """Upload the examples that are not there yet and wait until they can be searched."""
    accounts = [account async for account in client.accounts.all(tenant_id)]
    account = accounts[0] if accounts else await client.accounts.create(tenant_id, name="quickstart", role="member")
    uploads = [await client.files.upload(tenant_id, account.id, path=path) for path in examples]
    new = sum(upload.is_new for upload in uploads)
    _heading(f"{len(uploads)} documents of {EXAMPLES.name}/: {new} uploaded, {len(uploads) - new} there already.")
    if (await client.store.progress(tenant_id)).status == "in_progress":
        await show_indexing(client.store.live_progress(tenant_id), on_stderr=False)
    async for file in client.store.files(tenant_id):
        if file.state == "failed":
            show(f"  {one_line(file.name)} could not be indexed: {one_line(file.error_message or '')}")


async def _ask(client: "Client", tenant_id: str, question: str) -> None:
    show("")
    _heading(f"> {question}")
    await show_answer(client.chat.stream(tenant_id, question))


def _heading(text: str) -> None:
    console(on_stderr=False).print(text, style="bold")


def _show_next_steps(settings: "Settings", config: Path | None, tenant_id: str) -> None:
    """Say how to go on, with the key by its file and never in full."""
    key_file = shlex.quote(str(settings.data_dir / KEY_FILE))
    show("")
    _heading("What next: start the server, and in another terminal take the key and ask.")
    show(f"  {program()} serve{folder_option(settings)}{f' --config {shlex.quote(str(config))}' if config else ''}")
    show(f"  export TENANTAI_API_KEY=$(grep -o 'sk_[a-z]*_[0-9A-Za-z]*' {key_file})")
    show(f'  {program()} chat "How long is the notice period?"')
    show(f"  {program()} files upload your-own.pdf --watch")
    show("  curl -N http://127.0.0.1:8420/api/v1/chat -H \"x-api-key: $TENANTAI_API_KEY\" -H 'content-type: application/json' \\")
    show(f'    -d \'{{"tenantId": "{tenant_id}", "message": "How much is an L12 unit at Hillgate?"}}\'')
    show("Every command has --help with an example; README.md has a longer session and how to use Gemini.")
