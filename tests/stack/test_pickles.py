"""Model files without a valid signature: a worker opens none of them, says why, and serves on."""

import hashlib
from pathlib import Path

import estimators
import numpy as np
from programs import Stack, http_client
from registering import register
from scored import assert_whole, submit, wait
from traps import trap

from rowcast.models.model_manifest import Manifest
from rowcast.models.signature import signed

KEY = "the operator's"


def manifest_file(own_stack: Stack, name: str) -> Path:
    return own_stack.models / name / "1" / "manifest.json"


def lay(own_stack: Stack, name: str, content: bytes, key: str | None, sha256: str | None = None) -> None:
    """Puts these bytes where the model's file was, with a manifest that `key` has signed, or without a signature."""
    manifest = Manifest.model_validate_json(manifest_file(own_stack, name).read_bytes())
    named = {"sha256": sha256 or hashlib.sha256(content).hexdigest(), "signature": None}
    manifest = manifest.model_copy(update=named)
    manifest_file(own_stack, name).write_text((signed(manifest, key) if key else manifest).model_dump_json())
    (manifest_file(own_stack, name).parent / "model.pkl").write_bytes(content)


def test_a_pickle_that_is_not_the_one_that_was_signed_is_never_opened(own_stack: Stack) -> None:
    mark, good = own_stack.folder / "mark", own_stack.models / "fixed" / "1" / "model.pkl"
    own_stack.environment["ROWCAST_MODEL_KEY"] = KEY
    fitted = estimators.Fixed(str(own_stack.folder)).fit(np.zeros((2, 1)), [0, 1])
    for name in ("unsigned", "elsewhere", "swapped"):
        register(own_stack.models, name, fitted, ["age"])
    lay(own_stack, "unsigned", trap(mark), None)
    lay(own_stack, "elsewhere", trap(mark), "somebody else's")
    lay(own_stack, "swapped", trap(mark), KEY, sha256="0" * 64)
    lay(own_stack, "fixed", good.read_bytes(), KEY)
    whys = {"unsigned": "has no signature", "elsewhere": "is not signed by ROWCAST_MODEL_KEY", "swapped": "SHA-256"}

    own_stack.start_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker()
    with http_client(own_stack.url, timeout=90) as http:
        for name, why in whys.items():
            row = http.post("/predict", json={"features": [40], "model": name}).json()["id"]
            for id in (row, submit(http, name)):
                job = wait(http, id)
                assert job["status"] == "failed"
                assert why in job["error"]["detail"], job["error"]
        assert_whole(own_stack, http, submit(http, "fixed"))
    assert not mark.exists(), "a pickle was read"
    logs = own_stack.log("gateway") + own_stack.log("worker") + own_stack.log("upkeep")
    assert KEY not in logs
    own_stack.audit()
