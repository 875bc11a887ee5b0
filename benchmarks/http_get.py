"""An authenticated GET of the product against a bare aiohttp handler that answers with the same body.

The GET is `/tenants/{id}`: key, scope, tenant check, one row from SQLite, the envelope, request id and a line of access log.
"""

from benchmarks.figures import Figure, Outcome, ratio_of
from benchmarks.load import Connection, is_whole_json, rate, request_bytes
from benchmarks.servers import started

ROUNDS = 9
SECONDS = 1.5
CONNECTIONS = 32


async def measure() -> Outcome:
    """Alternate between the two servers, each in a process of its own."""
    ours: list[float] = []
    bare: list[float] = []
    with started("product") as product:
        url = f"{product['url']}/api/v1/tenants/{product['tenant_id']}"
        request = request_bytes("GET", url, headers={"x-api-key": product["key"]})
        body = Connection(url).exchange(request, is_whole_json).partition(b"\r\n\r\n")[2].decode()
        with started("bare_json", body=body) as other:
            bare_url = f"{other['url']}/api/v1/tenants/{product['tenant_id']}"
            bare_request = request_bytes("GET", bare_url, headers={"x-api-key": product["key"]})
            for seconds in [0.5] + [SECONDS] * ROUNDS:
                ours.append(rate(url, request, is_whole=is_whole_json, connections=CONNECTIONS, seconds=seconds))
                bare.append(rate(bare_url, bare_request, is_whole=is_whole_json, connections=CONNECTIONS, seconds=seconds))
    how = f"median of {ROUNDS} rounds of {SECONDS} s in turns, {CONNECTIONS} kept connections, load from another process"
    return [
        Figure("GET /tenants/{id} over bare aiohttp", ratio_of(ours[1:], bare[1:]), "ratio", how, at_least=0.5),
        Figure("GET /tenants/{id}", sorted(ours[1:])[ROUNDS // 2], "requests/s", "the same rounds"),
        Figure("bare aiohttp, same body", sorted(bare[1:])[ROUNDS // 2], "requests/s", "the same rounds"),
    ]
