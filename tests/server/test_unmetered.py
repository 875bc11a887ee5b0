"""What the benchmark leaves out to measure what limits and metering cost: those two, and nothing else."""

from benchmarks.unmetered import unmetered
from tests.running import Running, Tenant


async def test_unmetered(running: Running, acme: Tenant) -> None:
    """The answer is the same to the letter but has no usage headers, and no request is counted; afterwards each is again."""
    before = await running.send("GET", acme.path, key=acme.key)
    with unmetered():
        left_out = [await running.send("GET", acme.path, key=acme.key) for _ in range(3)]
    after = await running.send("GET", acme.path, key=acme.key)
    assert {reply.text for reply in left_out} == {before.text}
    assert {name for name in before.headers if name not in left_out[0].headers} == {
        "X-Usage-Requests-Remaining",
        "X-Usage-Tokens-Remaining",
        "X-Usage-Requests-Percent",
        "X-Usage-Tokens-Percent",
    }
    remaining = [int(reply.headers["X-Usage-Requests-Remaining"]) for reply in (before, after)]
    assert remaining[0] - remaining[1] == 1
