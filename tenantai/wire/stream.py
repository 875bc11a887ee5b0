"""The shapes of a stream's events, as the description of the API tells them; `tenantai.wire.events` makes them."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Discriminator
from typing_extensions import TypedDict

FinishReason = Literal["stop", "length", "content-filter", "tool-calls", "error", "other"]


class StartMetadata(TypedDict):
    """What the first event says of the answer."""

    conversationId: str
    requestId: str


class Start(TypedDict):
    """First, at once."""

    type: Literal["start"]
    messageId: str
    messageMetadata: StartMetadata


class Step(TypedDict):
    """Around each round of the model."""

    type: Literal["start-step", "finish-step"]


class TextEdge(TypedDict):
    """A text opens or closes."""

    type: Literal["text-start", "text-end"]
    id: str


class TextDelta(TypedDict):
    """Some of an open text."""

    type: Literal["text-delta"]
    id: str
    delta: str


class Ours(TypedDict):
    """On all events of a call: it is made here, not by the client, and its function is none that the client knows."""

    providerExecuted: Literal[True]
    dynamic: Literal[True]


class ToolInputStart(Ours):
    """The model begins a call."""

    type: Literal["tool-input-start"]
    toolCallId: str
    toolName: str


class ToolInputAvailable(Ours):
    """The call's arguments are whole."""

    type: Literal["tool-input-available"]
    toolCallId: str
    toolName: str
    input: Any


class ToolOutputAvailable(Ours):
    """What the function answered."""

    type: Literal["tool-output-available"]
    toolCallId: str
    output: Any


class ToolOutputError(Ours):
    """Why the function gave no answer."""

    type: Literal["tool-output-error"]
    toolCallId: str
    errorText: str


class ToolApprovalRequest(TypedDict):
    """A call that waits for a person's yes."""

    type: Literal["tool-approval-request"]
    approvalId: str
    toolCallId: str


class StreamCitation(TypedDict):
    """A quote that stands in a file, to the letter; its words are left out where the store's settings say so.

    `number` is the one in the answer's marks: a gap is where what was quoted was changed or deleted before the answer was whole.
    """

    number: int
    fileId: str
    fileName: str
    page: NotRequired[int]
    quote: NotRequired[str]
    start: int
    end: int
    score: float
    accountId: NotRequired[str]


class Citations(TypedDict):
    """What an answer stands on, once, after its text; `citations` is the same as `data`."""

    type: Literal["data-citations"]
    id: str
    data: list[StreamCitation]
    citations: NotRequired[list[StreamCitation]]


class SourceDocument(TypedDict):
    """A cited file."""

    type: Literal["source-document"]
    sourceId: str
    mediaType: str
    title: str
    filename: str


class MessageMetadata(TypedDict):
    """Tokens and model of the answer."""

    type: Literal["message-metadata"]
    messageMetadata: dict[str, Any]


class Fault(TypedDict):
    """A fault in mid-stream."""

    type: Literal["error"]
    errorText: str


class Finish(TypedDict):
    """Last: the proof that the answer is whole, and why it ended."""

    type: Literal["finish"]
    finishReason: NotRequired[FinishReason]


StreamEvent = Annotated[
    Start
    | Step
    | TextEdge
    | TextDelta
    | ToolInputStart
    | ToolInputAvailable
    | ToolOutputAvailable
    | ToolOutputError
    | ToolApprovalRequest
    | Citations
    | SourceDocument
    | MessageMetadata
    | Fault
    | Finish,
    Discriminator("type"),
]
