"""An authenticated GET of the product against a bare aiohttp handler of the same body, and against itself unmetered.

The GET is `/tenants/{id}`: key, scope, tenant check, one row from SQLite, the envelope, request id and a line of access log.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from benchmarks.figures import Figure, Outcome, ratio_of
from benchmarks.load import Connection, is_whole_json, rate, request_bytes
from benchmarks.servers import started_process
from benchmarks.terminal import cpu_seconds

ROUNDS = 9
SECONDS = 1.5
CONNECTIONS = 32
METERED = b"\r\nX-Usage-Requests-Remaining:"


@dataclass
class Loaded:
    """A server in a process of its own; its answers a second and its processor's seconds an answer, round by round."""

    pid: int
    url: str
    request: bytes
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def load(self, seconds: float) -> None:
        """Ask it for so long."""
        used = cpu_seconds(self.pid)
        self.rates.append(rate(self.url, self.request, is_whole=is_whole_json, connections=CONNECTIONS, seconds=seconds))
        self.costs.append((cpu_seconds(self.pid) - used) / (self.rates[-1] * seconds))

    def answer(self) -> list[bytes]:
        """Return the head and the body of its answer."""
        return Connection(self.url).exchange(self.request, is_whole_json).split(b"\r\n\r\n", 1)


async def measure() -> Outcome:
    """Alternate between the three servers."""
    with ExitStack() as servers:
        ours, unmetered = _product(servers), _product(servers, unmetered=True)
        (head, body), (head_without, _) = ours.answer(), unmetered.answer()
        assert METERED in head
        assert METERED not in head_without
        process, told = servers.enter_context(started_process("bare_json", body=body.decode()))
        bare = Loaded(process.pid, told["url"], ours.request)
        for seconds in [0.5] + [SECONDS] * ROUNDS:
            for server in (ours, unmetered, bare):
                server.load(seconds)
    return _figures(ours.rates[1:], bare.rates[1:], unmetered.rates[1:], _microseconds(ours) - _microseconds(unmetered))


def _product(servers: ExitStack, **options: bool) -> Loaded:
    process, told = servers.enter_context(started_process("product", **options))
    url = f"{told['url']}/api/v1/tenants/{told['tenant_id']}"
    return Loaded(process.pid, url, request_bytes("GET", url, headers={"x-api-key": told["key"]}))


def _microseconds(server: Loaded) -> float:
    return 1e6 * median(server.costs[1:])


def _figures(ours: Sequence[float], bare: Sequence[float], unmetered: Sequence[float], cost: float) -> list[Figure]:
    how = f"median of {ROUNDS} rounds of {SECONDS} s in turns, {CONNECTIONS} kept connections, load from another process"
    processor = "the same rounds: the server's processor time for the GET, less that for the GET unmetered"
    return [
        Figure("GET /tenants/{id} over bare aiohttp", ratio_of(ours, bare), "ratio", how, at_least=0.5),
        Figure("GET /tenants/{id}", median(ours), "requests/s", "the same rounds"),
        Figure("bare aiohttp, same body", median(bare), "requests/s", "the same rounds"),
        Figure("limits and metering", cost, "µs a request", processor),
        Figure("GET /tenants/{id} over the same unmetered", ratio_of(ours, unmetered), "ratio", "the same rounds"),
    ]
