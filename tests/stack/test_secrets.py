"""No log of any program has a secret in it, at the level that says most, whatever is away."""

import pytest
from programs import UPKEEP, Stack, http_client, until

PASSWORD = "s3cret-of-redis"
MODEL_KEY = "s3cret-of-models"
PROGRAMS = {"gateway": ("api", "--port", "0"), "worker": ("worker",), "upkeep": (UPKEEP,)}


def test_no_log_has_the_password_of_redis_or_the_key_of_models_in_it(own_stack: Stack) -> None:
    own_stack.redis.config_set("requirepass", PASSWORD)
    file = own_stack.folder / "model-key"
    file.write_text(MODEL_KEY)
    own_stack.environment |= {
        "ROWCAST_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{own_stack.server.port}/0",
        "ROWCAST_MODEL_KEY_FILE": str(file),
        "ROWCAST_LOG_LEVEL": "debug",
    }
    own_stack.start_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker()
    with http_client(own_stack.url, timeout=30) as http:
        row = {"features": [40], "model": "fixed"}
        answer = http.post("/predict", json=row, headers={"Prefer": "wait=20"})
        assert "is not signed" in answer.text or "has no signature" in answer.text
        own_stack.server.kill()
        refused = http.post("/predict", json=row)
        assert (refused.status_code, PASSWORD in refused.text) == (503, False)
    for program, complaint in {
        "gateway": "Redis cannot be reached",
        "upkeep": "Redis cannot be reached",
        "worker": "Connection",
    }.items():
        until(lambda name=program, words=complaint: words in own_stack.log(name), f"{program} misses Redis")
    for program in PROGRAMS:
        log = own_stack.log(program)
        assert not [line for line in log.splitlines() if PASSWORD in line or MODEL_KEY in line]
    own_stack.stop_all()
    own_stack.server.start()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_cannot_read_the_url_of_redis_says_so_without_its_password(
    kept_stack: Stack, program: str
) -> None:
    url = f"redis://:{PASSWORD}/@127.0.0.1/0"
    assert kept_stack.start("refusing", *PROGRAMS[program], ROWCAST_REDIS_URL=url).wait(timeout=60) == 2
    (line,) = kept_stack.log("refusing").splitlines()
    assert line.startswith("ROWCAST_REDIS_URL=***@127.0.0.1/0 is not valid: takes ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_cannot_read_the_file_of_a_secret_says_so_in_a_line(kept_stack: Stack, program: str) -> None:
    missing = str(kept_stack.folder / "no-such-secret")
    assert kept_stack.start("refusing", *PROGRAMS[program], ROWCAST_MODEL_KEY_FILE=missing).wait(timeout=60) == 2
    says = f"ROWCAST_MODEL_KEY_FILE={missing} is not valid: the file cannot be read: No such file or directory\n"
    assert kept_stack.log("refusing") == says
