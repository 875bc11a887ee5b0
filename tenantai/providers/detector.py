"""A detector on this machine: any ONNX model with COCO's classes, such as D-FINE.

Taken are two forms: `images` (and `orig_target_sizes`, width and height) in, `labels`, `boxes` in pixels and `scores` out, as
D-FINE's and RT-DETR's own exporters write; and one input, `logits` and `pred_boxes` (centre and size, 0 to 1) out, as the
transformers library has them. Pictures go in as RGB from 0 to 1.

What must stay true: one thread runs the model, and what it finds is held against its threshold and never told twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantai.errors import ProviderFailed
from tenantai.providers.coco import BUILT_IN, FRAGILE, THINGS, class_of
from tenantai.providers.protocols import Sighting, VisionEvent

SIDE_PIXELS = 640
SCORE_MIN = 0.4
OVERLAP_MAX = 0.7
SIGHTINGS_MAX = 150
BOX_MAX = 1000
COCO_COUNT = 80
MODEL_FILE = "model.onnx"
NO_LIBRARY = "The detector's library is missing: run pip install 'tenantai[local]'."
DAMAGED = "The detector's file is missing or damaged; the operator must put it where TENANTAI_DETECTOR says, then restart."
ANOTHER_FORM = "The detector's file is of no form that is known; the operator must choose another with TENANTAI_DETECTOR."
FAILED = "The detector failed on this picture, or is shut down. Try again."

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a model found: class numbers, scores, and boxes as parts of the picture (left, top, right, bottom)."""

    numbers: NDArray[np.int64]
    scores: Floats
    boxes: Floats
    count: int


class Detector:
    """A VisionModel that runs an ONNX file; it is read at the first use."""

    provider = "detector"

    def __init__(self, file: Path, *, name: str) -> None:
        self.model = name
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="detector")
        self._session: Any = None

    async def look(self, picture: bytes) -> AsyncGenerator[VisionEvent]:
        """Yield what is found in a JPEG, the surest first. Raises ProviderFailed."""
        for sighting in await self._in_thread(self._looked, picture):
            yield sighting

    async def check(self) -> None:
        """Return when the model can be loaded, else raise ProviderFailed."""
        await self._in_thread(self._loaded)

    async def close(self) -> None:
        """Let the running picture end and release the model."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._session = None

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except ProviderFailed:
            raise
        except Exception as error:  # the executor after close(), or a type of the ONNX runtime's own
            raise ProviderFailed(FAILED) from error

    def _looked(self, picture: bytes) -> list[Sighting]:
        return sightings(run(self._loaded(), picture))

    def _loaded(self) -> Any:
        if self._session is None:
            self._session = load(self._file)
        return self._session


def load(file: Path) -> Any:
    """Return a session of an ONNX file; raises ProviderFailed."""
    try:
        import onnxruntime  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise ProviderFailed(NO_LIBRARY) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises types of its own
        raise ProviderFailed(DAMAGED) from error


def run(session: Any, picture: bytes) -> _Found:
    """Return what a model finds in a JPEG; raises ProviderFailed where its form is not known."""
    inputs = session.get_inputs()
    outputs = {output.name for output in session.get_outputs()}
    given: dict[str, Any] = {inputs[0].name: _tensor(picture, inputs[0].shape)}
    if {"labels", "boxes", "scores"} <= outputs and len(inputs) <= len(("images", "sizes")):
        if len(inputs) > 1:
            given[inputs[1].name] = np.array([[BOX_MAX, BOX_MAX]], dtype=np.int64)
        labels, boxes, scores = session.run(["labels", "boxes", "scores"], given)
        return _Found(
            np.asarray(labels[0], dtype=np.int64),
            np.asarray(scores[0], np.float32),
            np.asarray(boxes[0], np.float32) / np.float32(BOX_MAX),
            COCO_COUNT,
        )
    if {"logits", "pred_boxes"} <= outputs and len(inputs) == 1:
        logits, boxes = session.run(["logits", "pred_boxes"], given)
        return _decoded(np.asarray(logits[0], np.float32), np.asarray(boxes[0], np.float32))
    raise ProviderFailed(ANOTHER_FORM)


def sightings(found: _Found) -> list[Sighting]:
    """Return what of a model's findings may have to be moved, the surest first, each place and class once."""
    kept: list[tuple[str, Floats]] = []
    told: list[Sighting] = []
    for at in np.argsort(-found.scores):
        score, box = float(found.scores[at]), np.clip(found.boxes[at], 0, 1)
        if not score >= SCORE_MIN or len(told) == SIGHTINGS_MAX:
            break
        seen = class_of(int(found.numbers[at]), count=found.count)
        if seen not in THINGS or any(seen == other and _overlap(box, held) > OVERLAP_MAX for other, held in kept):
            continue
        kept.append((seen, box))
        told.append(_sighting(seen, score, box))
    return told


def _sighting(seen: str, score: float, box: Floats) -> Sighting:
    left, top, right, bottom = (round(float(edge) * BOX_MAX) for edge in box)
    is_box = top < bottom and left < right
    return Sighting(
        name=THINGS[seen],
        label=seen.replace("_", " "),
        confidence=min(score, 1.0),
        box=(top, left, bottom, right) if is_box else None,
        fragile=True if seen in FRAGILE else None,
        built_in=seen in BUILT_IN,
    )


def _decoded(logits: Floats, boxes: Floats) -> _Found:
    """Return findings of the transformers library's form; its last class of 92 or 91 is `nothing`, which sigmoids leave low."""
    chances = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    centres, sizes = boxes[:, :2], boxes[:, 2:]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    return _Found(chances.argmax(axis=1), chances.max(axis=1), corners, logits.shape[1])


def _tensor(picture: bytes, shape: list[Any]) -> Floats:
    """Return a picture as a model takes it: one of three planes, 0 to 1, stretched to its side."""
    from PIL import Image  # noqa: PLC0415  only a detector decodes in this process, and only pictures that we wrote

    height, width = (side if isinstance(side, int) else SIDE_PIXELS for side in shape[-2:])
    with Image.open(BytesIO(picture), formats=("JPEG",)) as opened:
        image = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    planes = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255
    return np.ascontiguousarray(planes[None])


def _overlap(one: Floats, other: Floats) -> float:
    """Return the part that two boxes have in common of what they cover together."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = float(np.prod(np.clip(high - low, 0, None)))
    together = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - common
    return common / together if together > 0 else 0.0
