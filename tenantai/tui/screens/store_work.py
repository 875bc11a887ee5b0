"""What the place of the store asks of the server for several files at once: a result for each, and one fault stops no other."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

from tenantai.client import Client, ClientError
from tenantai.client.files import FileAction
from tenantai.client.pausing import with_pauses
from tenantai.tui.link import BROKEN
from tenantai.tui.screens.outcomes import Outcome
from tenantai.tui.sending import Sending
from tenantai.wire.files import FileRecord

DONE: dict[FileAction, str] = {"exclude": "excluded", "include": "included", "delete": "deleted", "resync": "queued again"}
ACTION_FILES_MAX = 1000
NOT_SENT = "It was not sent: the server is gone."


async def upload_all(
    client: Client,
    tenant_id: str,
    account_id: str,
    paths: Sequence[Path],
    *,
    sending: Sending,
    taken: Callable[[FileRecord], None],
) -> list[Outcome]:
    """Send files one after the other, and say how far each is, and which were taken in; returns what came of each."""
    outcomes: list[Outcome] = []
    is_gone = False
    for at, path in enumerate(paths):
        if is_gone:
            outcomes.append(Outcome(path.name, ok=False, sentence=NOT_SENT))
            continue
        sending.begin(at, path)
        try:
            send = partial(client.files.upload, tenant_id, account_id, path=path, sent=sending.sent)
            made = await with_pauses(send, paused=sending.paused)
        except ClientError as error:
            is_gone = error.code in BROKEN
            outcomes.append(Outcome(path.name, ok=False, sentence=error.message))
        except OSError as error:
            outcomes.append(Outcome(path.name, ok=False, sentence=f"It can't be read: {error.strerror or error}."))
        else:
            taken(made.file)
            outcomes.append(
                Outcome(path.name, ok=True, sentence="uploaded" if made.is_new else "the same bytes were there already")
            )
    return outcomes


async def act_on(client: Client, tenant_id: str, action: FileAction, files: Sequence[FileRecord]) -> list[Outcome]:
    """Do an action on files; what came of each."""
    names = {file.id: file.name for file in files}
    outcomes: list[Outcome] = []
    for start in range(0, len(files), ACTION_FILES_MAX):
        part = [file.id for file in files[start : start + ACTION_FILES_MAX]]
        for result in await client.files.act(tenant_id, action=action, file_ids=part):
            sentence = DONE[action] if result.ok else result.error or "It was refused."
            outcomes.append(Outcome(names.get(result.file_id, result.file_id), ok=result.ok, sentence=sentence))
    return outcomes


async def first_files(client: Client, tenant_id: str, count: int) -> list[FileRecord]:
    """Return the first files of the store as they are now, so many at most."""
    found: list[FileRecord] = []
    async with aclosing(client.store.files(tenant_id)) as files:
        while len(found) < count and (file := await anext(files, None)) is not None:
            found.append(file)
    return found
