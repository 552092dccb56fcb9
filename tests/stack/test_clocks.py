"""What happens when a clock jumps by an hour, ahead or back: the work goes on, and is counted once."""

import os

import httpx
import pytest
from programs import SUPPORT, Stack, kill_group, libfaketime, until
from scored import assert_whole, begun, submit

from rowcast.jobs.records.redis_keys import key

AHEAD_AND_BACK = (3600, 0)
"""How far the clocks are from the true ones, in seconds, after each jump."""


@pytest.mark.skipif(
    libfaketime() is None and os.environ.get("CI") != "true", reason="there is no libfaketime here to move a clock by"
)
def test_the_clock_of_redis_jumps_as_a_worker_dies(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.server.move_clock(0)
    own_stack.start_worker("second", concurrency=1)
    for seconds in AHEAD_AND_BACK:
        own_stack.start_worker("first", concurrency=1)
        (own_stack.folder / "stuck").touch()
        id = submit(http, "stuck")
        until(lambda: own_stack.redis.hlen(key("leases")) == 2, "both workers have a chunk")
        own_stack.server.move_clock(seconds)
        kill_group(own_stack.processes.pop("first"))
        (own_stack.folder / "stuck").unlink()
        assert_whole(own_stack, http, id)


def test_the_clocks_of_all_programs_but_redis_jump(own_stack: Stack, http: httpx.Client) -> None:
    clock = own_stack.folder / "clock"
    clock.write_text("0")
    own_stack.environment |= {"PYTHONPATH": f"{SUPPORT}:{SUPPORT / 'clock'}", "MOVED_CLOCK": str(clock)}
    for name in ("gateway", "upkeep"):
        own_stack.stop(name)
    own_stack.start_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker()
    for seconds in AHEAD_AND_BACK:
        (own_stack.folder / "stuck").touch()
        id = submit(http, "stuck")
        begun(http, id)
        moved = own_stack.folder / "moved"
        moved.write_text(str(seconds))
        moved.rename(clock)  # at once, because the programs read it all the time
        (own_stack.folder / "stuck").unlink()
        assert_whole(own_stack, http, id)
        assert_whole(own_stack, http, submit(http, "fixed"))
