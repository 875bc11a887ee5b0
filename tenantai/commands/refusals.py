"""What a server refuses, as a sentence for a person at a terminal.

What must stay true: it names the options and commands that a person can type, never a field or a route of the API.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantai.client import ClientError

ADDRESS = "name the server's address with --url or TENANTAI_URL"
KEY = "give one that it takes with --api-key or TENANTAI_API_KEY"
OWN = {
    "UNREACHABLE": f"No tenantai server answers at {{url}}. Start one with `tenantai serve`, or {ADDRESS}.",
    "BAD_ADDRESS": f"{{url}} is not an address. It must look like http://127.0.0.1:8420: {ADDRESS}.",
    "NOT_OURS": f"What answers at {{url}} is no tenantai server that this program knows: {ADDRESS}.",
    "UNAUTHORIZED": f"The server at {{url}} does not take this API key: {KEY}.",
}
OPTIONS = {
    "tenantId": "--tenant",
    "accountId": "--account",
    "conversationId": "--conversation",
    "externalId": "--external-id",
    "organizationName": "--name",
    "topK": "--top",
    "eventType": "--event",
    "keyId": "--key",
    "subjectId": "--subject",
    "assetId": "--asset",
    "groupBy": "--group-by",
}
API_NAME = re.compile(rf"\b({'|'.join(OPTIONS)})\b")
FIELD_NAME = re.compile(r"(?<=[.;] )(from|to|anchor|limit)(?=: )")  # words of sentences, too, so only where a field is named
API_ADVICE = {
    "Resync it to try again.": "Try again with `tenantai files retry`.",
    "Check files.": "Check --file; `tenantai files list` shows the ids.",
    "There is no such conversation. Check the id.": "There is no such conversation. `tenantai conversations list` shows the ids.",
    "There is no such tenant. Check the id.": "There is no such tenant. `tenantai tenants list` shows the ids.",
    "There is no such account in this tenant. Check the id.": "There is no such account. `tenantai accounts list` shows the ids.",
}


def sentence(error: "ClientError", *, url: str) -> str:
    """Return what went wrong and what to type, with the wait and the request's id where they help."""
    wait = f" Try again in {error.retry_after} s." if error.retry_after and "Try again in" not in error.message else ""
    request = f" (request {error.request_id})" if error.code == "INTERNAL_ERROR" and error.request_id else ""
    said = OWN[error.code].format(url=url) if error.code in OWN else typeable(error.message)
    return f"{said}{wait}{request}"


def typeable(said: str) -> str:
    """Return a sentence of the server's with the names of the API replaced by options and commands."""
    for theirs, ours in API_ADVICE.items():
        said = said.replace(theirs, ours)
    return API_NAME.sub(lambda name: OPTIONS[name[0]], FIELD_NAME.sub(r"--\1", said))
