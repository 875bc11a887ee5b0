"""How the child process answers, in pieces small enough that decoding one never holds the interpreter for long.

An answer is a frame of JSON (the head), then frames of UTF-8 text and frames of JSON blocks, as many as the head says.
"""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tenantai.rag.documents import Block, ExtractedDocument, ExtractionFailed
from tenantai.sandbox.frames import dumped, framed

TEXT_PIECE_CHARACTERS = 64 * 1024
BLOCKS_PIECE = 250


def failure_frames(failed: ExtractionFailed) -> Iterator[bytes]:
    """The frames of a refusal."""
    head = {"reason": failed.reason, "message": failed.message, "page_count": failed.page_count}
    yield framed(dumped(head | {"frames": 0}))


def document_frames(document: ExtractedDocument) -> Iterator[bytes]:
    """The frames of a document."""
    texts = range(0, len(document.text), TEXT_PIECE_CHARACTERS)
    pieces = range(0, len(document.blocks), BLOCKS_PIECE)
    head = {"media_type": document.media_type, "page_count": document.page_count}
    yield framed(dumped(head | {"text_pieces": len(texts), "frames": len(texts) + len(pieces)}))
    for start in texts:
        yield framed(document.text[start : start + TEXT_PIECE_CHARACTERS].encode())
    for start in pieces:
        blocks = document.blocks[start : start + BLOCKS_PIECE]
        yield framed(dumped([_row(block, above) for block, above in zip(blocks, (None, *blocks), strict=False)]))


def decode_answer(head: dict[str, Any], bodies: Sequence[bytes]) -> ExtractedDocument:
    """The document of an answer, or its ExtractionFailed raised; meant for a thread."""
    if "reason" in head:
        raise ExtractionFailed(head["reason"], head["message"], page_count=head["page_count"])
    text_pieces = int(head["text_pieces"])
    text = "".join(body.decode() for body in _yielding(bodies[:text_pieces]))
    blocks = tuple(block for body in _yielding(bodies[text_pieces:]) for block in _blocks(body))
    return ExtractedDocument(head["media_type"], text, blocks, head["page_count"])


def _yielding(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """The bodies one by one, the interpreter lock offered to the event loop before each."""
    for body in bodies:
        time.sleep(0)
        yield body


def _row(block: Block, above: Block | None) -> list[Any]:
    """A block; a header that is the one of the block above is told by None."""
    header = None if above is not None and above.table_header == block.table_header else block.table_header
    return [block.kind, block.start, block.end, block.level, block.page, header]


def _blocks(body: bytes) -> list[Block]:
    blocks, header = [], ""
    for kind, start, end, level, page, told in json.loads(body):
        header = header if told is None else told
        blocks.append(Block(kind, start, end, level, page, header))
    return blocks
