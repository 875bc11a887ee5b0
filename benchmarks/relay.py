"""Relaying a model's stream through POST /chat: against a bare aiohttp stream of the same bytes, and against Gemini's SDK alone.

The tenant has no documents, so that a turn is: key, checks, the question and the answer kept (two commits), the model's pieces
read for citations, framed and sent. Every stream has 50 pieces. Streams are read to their end on kept connections.
"""

import json
import subprocess
from statistics import median
from typing import Any

from benchmarks.figures import Figure, Outcome, quantile, ratio_of
from benchmarks.load import Connection, is_whole_stream, rate, request_bytes
from benchmarks.servers import started, started_process

ROUNDS = 7
SECONDS = 2.0
CONNECTIONS = 8
FIRST_TOKENS = 150
QUESTION = "How long may a stream last, and what becomes of it after that?"
PIECES = [f"piece {number} of the answer, " for number in range(50)]
FIRST = b'"text-delta"'
ANSWERED = b'"finishReason":"stop"'


async def measure() -> Outcome:
    """Measure the relay of a script, then of Gemini's SDK."""
    return [*_scripted(PIECES, "50 pieces", at_least=0.5), *_scripted(PIECES * 10, "500 pieces", at_least=None), *_gemini()]


def _scripted(pieces: list[str], name: str, *, at_least: float | None) -> list[Figure]:
    ours: list[float] = []
    bare: list[float] = []
    with started("product", answer=pieces) as product:
        url, request = _chat(product)
        connection = Connection(url)
        with started("bare_stream", frames=frames_of(connection.exchange(request, is_whole_stream))) as other:
            bare_url, bare_request = _chat({**product, "url": other["url"]})
            firsts = [connection.first(request, FIRST, is_whole_stream) for _ in range(FIRST_TOKENS)]
            bare_connection = Connection(bare_url)
            bare_firsts = [bare_connection.first(bare_request, FIRST, is_whole_stream) for _ in range(FIRST_TOKENS)]
            for seconds in [0.5] + [SECONDS] * ROUNDS:
                ours.append(rate(url, request, is_whole=is_whole_stream, connections=CONNECTIONS, seconds=seconds))
                bare.append(rate(bare_url, bare_request, is_whole=is_whole_stream, connections=CONNECTIONS, seconds=seconds))
    how = f"median of {ROUNDS} rounds of {SECONDS:g} s in turns, {CONNECTIONS} streams at once"
    return [
        Figure(f"scripted relay over bare stream, {name}", ratio_of(ours[1:], bare[1:]), "ratio", how, at_least=at_least),
        Figure(f"scripted relay, {name}", median(ours[1:]), "streams/s", "the same rounds"),
        Figure(f"bare stream, {name}", median(bare[1:]), "streams/s", "the same rounds"),
        *_firsts(f"scripted, {name}", firsts),
        *_firsts(f"bare, {name}", bare_firsts),
    ]


def _gemini() -> list[Figure]:
    ours: list[float] = []
    alone: list[float] = []
    with (
        started("gemini", answer=PIECES) as upstream,
        started("product", gemini_url=upstream["url"]) as product,
        started_process("sdk", gemini_url=upstream["url"], question=QUESTION) as (sdk, _),
    ):
        url, request = _chat(product)
        connection = Connection(url)
        answer = connection.exchange(request, is_whole_stream)
        if ANSWERED not in answer:
            raise RuntimeError(f"the product did not answer: {answer[-500:]!r}")
        firsts = [connection.first(request, FIRST, is_whole_stream) for _ in range(FIRST_TOKENS)]
        sdk_firsts = _driven(sdk, concurrency=1, seconds=2)["firsts"]
        for seconds in [0.5] + [SECONDS] * ROUNDS:
            ours.append(rate(url, request, is_whole=is_whole_stream, connections=CONNECTIONS, seconds=seconds))
            alone.append(_driven(sdk, concurrency=CONNECTIONS, seconds=seconds)["rate"])
    how = f"median of {ROUNDS} rounds of {SECONDS:g} s in turns, {CONNECTIONS} streams at once, upstream in another process"
    return [
        Figure("relay of Gemini's SDK over the SDK alone", ratio_of(ours[1:], alone[1:]), "ratio", how, at_least=0.8),
        Figure("relay of Gemini's SDK", median(ours[1:]), "streams/s", "the same rounds"),
        Figure("Gemini's SDK alone", median(alone[1:]), "streams/s", "the same rounds, over aiohttp"),
        *_firsts("Gemini relayed", firsts),
        *_firsts("Gemini's SDK alone", sdk_firsts),
    ]


def _firsts(name: str, seconds: list[float]) -> list[Figure]:
    how = f"one stream at a time, {len(seconds)} of them"
    return [
        Figure(f"first token, {name}, median", 1000 * median(seconds), "ms", how),
        Figure(f"first token, {name}, p95", 1000 * quantile(seconds, 0.95), "ms", how),
    ]


def _chat(product: dict[str, Any]) -> tuple[str, bytes]:
    url = f"{product['url']}/api/v1/chat"
    body = json.dumps({"tenantId": product["tenant_id"], "message": QUESTION}).encode()
    return url, request_bytes("POST", url, headers={"x-api-key": product["key"], "Content-Type": "application/json"}, body=body)


def frames_of(answer: bytes) -> list[str]:
    """Return the events of a chunked answer, each as it was written."""
    rest, text = answer.partition(b"\r\n\r\n")[2], b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        text += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return [f"{frame}\n\n" for frame in text.decode().split("\n\n") if frame]


def _driven(sdk: "subprocess.Popen[str]", *, concurrency: int, seconds: float) -> dict[str, Any]:
    if sdk.stdin is None or sdk.stdout is None:
        raise RuntimeError("the process of the SDK has no pipes")
    sdk.stdin.write(f"{concurrency} {seconds}\n")
    sdk.stdin.flush()
    driven: dict[str, Any] = json.loads(sdk.stdout.readline())
    return driven
