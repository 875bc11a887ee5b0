"""What the product asks of a model provider; each provider is one module that satisfies these protocols.

What must stay true: a provider raises nothing but `ProviderFailed`, and never lets a key into a message.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tenantai.wire.stream import FinishReason

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the model may call; `parameters` is the JSON Schema of the object that it takes."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    parameter_characters: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Count once what each request would have to count."""
        object.__setattr__(self, "parameter_characters", len(json.dumps(self.parameters)))


@dataclass(frozen=True, slots=True)
class CallBegun:
    """The model begins a call; its `FunctionCall` follows under the same id."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call, whole. `arguments` is None where the model wrote no JSON object; then `written` has what it wrote.

    `id` is ours, unique among all calls; `provider_id` and `signature` are the provider's, and go back to it as they came.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    written: str = ""
    provider_id: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """What a call came to: JSON, or the sentence that says why it failed."""

    call: FunctionCall
    output: Any
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; the assistant's may end in calls, and a `function` turn brings all their results.

    `pictures` are JPEG files that the text is about.
    """

    role: Literal["user", "assistant", "function"]
    text: str
    calls: tuple[FunctionCall, ...] = ()
    results: tuple[FunctionResult, ...] = ()
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A passage found for the question; `number` is what the model names it by, counted from 1.

    `units` are the half-open spans (in characters of `text`) of its sentences, list items and table rows.
    `table_headers` gives, by unit index, the header row a table row belongs to.
    """

    number: int
    file_name: str
    heading: str
    text: str
    score: float
    units: tuple[tuple[int, int], ...] = ()
    table_headers: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One round of a chat: instructions (with the sources rendered into them) and turns, the last a question or results.

    With `may_call` false the functions are named, for earlier calls of them, but none may be called. With `answer_schema` the
    answer is to be JSON of that schema, in which each property is required.
    """

    instructions: str
    turns: tuple[Turn, ...]
    sources: tuple[Source, ...]
    output_tokens_max: int = 2048
    functions: tuple[Function, ...] = ()
    may_call: bool = True
    answer_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `estimated` where it gave no count. May come more than once: the last holds."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The model's last event, with the reason it stopped for."""

    reason: FinishReason


ChatEvent = TextDelta | CallBegun | FunctionCall | Usage | Finished


class ChatModel(Protocol):
    """Answers a conversation piece by piece."""

    provider: str
    model: str
    context_tokens: int
    calls_functions: bool

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Yield the answer; closing the iterator stops the model's work. Raises ProviderFailed."""
        ...

    async def check(self) -> None:
        """Return when the provider can be reached, else raise ProviderFailed."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A thing that a model sees in a picture; what it can't tell is None.

    Centimetres outside of one of them; `box` is (top, left, bottom, right) within the picture, 0 to 1000; `confidence` 0 to 1.
    """

    name: str
    label: str = ""
    room: str | None = None
    quantity: int = 1
    length_cm: float | None = None
    width_cm: float | None = None
    height_cm: float | None = None
    confidence: float = 0.5
    box: tuple[int, int, int, int] | None = None
    fragile: bool | None = None
    built_in: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """What was seen in the picture so far is void: the model is asked once more."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The model's answer ended at a limit: there may be more in the picture than was told."""


VisionEvent = Sighting | Again | Cut | Usage


class VisionModel(Protocol):
    """Tells what is in a picture, thing by thing."""

    provider: str
    model: str

    def look(self, picture: bytes) -> AsyncIterator[VisionEvent]:
        """Yield what is seen in a JPEG; closing the iterator stops the model's work. Raises ProviderFailed.

        A Usage counts all that the picture took so far: the last holds.
        """
        ...

    async def check(self) -> None:
        """Return when the provider can be reached, else raise ProviderFailed."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class EmbeddingModel(Protocol):
    """Turns texts into unit vectors."""

    model: str
    dimensions: int

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return an array of shape (len(texts), dimensions), float32, each row of length 1. Raises ProviderFailed."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...
