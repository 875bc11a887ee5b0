"""Events of the stream, as STREAM.md fixes them: the AI SDK's UI message stream, version 1, and what its plain readers know.

Each function returns one event as it is sent. What is absent is left out, for the client refuses null.
"""

from collections.abc import Mapping
from typing import Any

from tenantai.wire import stream

Event = Mapping[str, Any]

OURS: stream.Ours = {"providerExecuted": True, "dynamic": True}


def start(message_id: str, *, conversation_id: str, request_id: str) -> stream.Start:
    """The first event."""
    metadata: stream.StartMetadata = {"conversationId": conversation_id, "requestId": request_id}
    return {"type": "start", "messageId": message_id, "messageMetadata": metadata}


def start_step() -> stream.Step:
    """A round of the model begins."""
    return {"type": "start-step"}


def finish_step() -> stream.Step:
    """A round of the model ends."""
    return {"type": "finish-step"}


def text_start(part_id: str) -> stream.TextEdge:
    """A piece of text opens."""
    return {"type": "text-start", "id": part_id}


def text_delta(part_id: str, delta: str) -> stream.TextDelta:
    """Some of an open text."""
    return {"type": "text-delta", "id": part_id, "delta": delta}


def text_end(part_id: str) -> stream.TextEdge:
    """A text closes."""
    return {"type": "text-end", "id": part_id}


def tool_input_start(call_id: str, name: str) -> stream.ToolInputStart:
    """The model begins a call."""
    return {"type": "tool-input-start", "toolCallId": call_id, "toolName": name, **OURS}


def tool_input_available(call_id: str, name: str, arguments: Any) -> stream.ToolInputAvailable:
    """A call is whole."""
    return {"type": "tool-input-available", "toolCallId": call_id, "toolName": name, "input": arguments, **OURS}


def tool_output_available(call_id: str, output: Any) -> stream.ToolOutputAvailable:
    """What a function returned."""
    return {"type": "tool-output-available", "toolCallId": call_id, "output": output, **OURS}


def tool_output_error(call_id: str, sentence: str) -> stream.ToolOutputError:
    """Why a call came to nothing."""
    return {"type": "tool-output-error", "toolCallId": call_id, "errorText": sentence, **OURS}


def tool_approval_request(approval_id: str, call_id: str) -> stream.ToolApprovalRequest:
    """A call waits for a person's yes."""
    return {"type": "tool-approval-request", "approvalId": approval_id, "toolCallId": call_id}


def citations(part_id: str, cited: list[stream.StreamCitation], *, compatible: bool = False) -> stream.Citations:
    """The quotes an answer stands on; `compatible` leaves out the key that older clients refuse."""
    event: stream.Citations = {"type": "data-citations", "id": part_id, "data": cited}
    if not compatible:
        event["citations"] = cited
    return event


def source_document(source_id: str, *, media_type: str, title: str, file_name: str) -> stream.SourceDocument:
    """A cited file, for stock interfaces."""
    return {"type": "source-document", "sourceId": source_id, "mediaType": media_type, "title": title, "filename": file_name}


def message_metadata(metadata: dict[str, Any]) -> stream.MessageMetadata:
    """Tokens and model of the answer."""
    return {"type": "message-metadata", "messageMetadata": metadata}


def error(sentence: str) -> stream.Fault:
    """A fault; the sentence is ours, never an exception's."""
    return {"type": "error", "errorText": sentence}


def finish(reason: stream.FinishReason, *, compatible: bool = False) -> stream.Finish:
    """The last event: the proof that the answer is whole, with the reason it ended for."""
    return {"type": "finish"} if compatible else {"type": "finish", "finishReason": reason}


def start_estimate(message_id: str, *, estimate_id: str, request_id: str) -> Event:
    """The first event of an estimate."""
    return {"type": "start", "messageId": message_id, "messageMetadata": {"estimateId": estimate_id, "requestId": request_id}}


def data(kind: str, part_id: str, told: Mapping[str, Any]) -> Event:
    """A part of our own (`progress`, `item`, `summary`); one of the same id replaces it."""
    return {"type": f"data-{kind}", "id": part_id, "data": told}
