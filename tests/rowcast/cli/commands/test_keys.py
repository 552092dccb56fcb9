import hashlib
import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rowcast import api_keys
from rowcast.api_keys import KeyRing, Role
from rowcast.errors import BadKeysFile, Unprocessable

DIGEST = hashlib.sha256(b"rc_x").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "conf" / "keys"


def test_a_new_key_is_printed_once_and_its_digest_alone_is_kept(rowcast, file: Path) -> None:
    done = rowcast("keys", "new", "alice", "--file", file)
    assert done.returncode == 0, done.stderr
    secret = done.stdout.decode().removesuffix("\n")
    assert re.fullmatch(r"rc_[A-Za-z0-9_-]{43}", secret)
    assert secret not in done.stderr.decode()
    assert file.read_text() == f"alice:user:{hashlib.sha256(secret.encode()).hexdigest()}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_can_come_from_the_gateways_setting(rowcast, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWCAST_API_KEYS_FILE", str(file))
    assert rowcast("keys", "new", "root", "--role", "admin").returncode == 0
    assert rowcast("keys", "list").stdout.startswith(b"root\tadmin\t")


def test_without_a_file_the_command_says_how_to_name_one(rowcast) -> None:
    done = rowcast("keys", "new", "alice")
    assert done.returncode == 2
    assert b"--file" in done.stderr


def test_keys_are_listed_and_removed_and_the_rest_of_the_file_stays(rowcast, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"# ours\n\nold:user:{DIGEST}")  # the last line has no end
    secret = rowcast("keys", "new", "ann", "--role", "admin", "--file", file).stdout.decode().strip()
    listed = json.loads(rowcast("keys", "list", "--file", file, "--json").stdout)
    assert [(key["name"], key["role"]) for key in listed] == [("old", "user"), ("ann", "admin")]
    assert secret not in json.dumps(listed)
    assert rowcast("keys", "list", "--file", file).stdout.startswith(f"old\tuser\t{DIGEST[:12]}\tnever\n".encode())

    file.chmod(0o640)
    assert rowcast("keys", "remove", "old", "--file", file).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    text = file.read_text()
    assert text.startswith("# ours\n\nann:admin:")
    assert text.count("\n") == 3
    done = rowcast("keys", "remove", "old", "--file", file)
    assert (done.returncode, done.stderr) == (2, f"rowcast: {file} has no key 'old'.\n".encode())
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", ["alice", "", "*", "a:b", "../a", "-a", "a b", "é", "a" * 65, "a\n"])
def test_a_name_is_unique_and_of_its_form(rowcast, file: Path, name: str) -> None:
    api_keys.new(file, "alice")
    before = file.read_text()
    done = rowcast("keys", "new", "--file", file, "--", name)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"rowcast: name: ")
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--role", "root", b"rowcast: role: the role must be user or admin"),
        ("--expires", "2001-01-31", b"rowcast: expires: 2001-01-31 has passed"),
        ("--expires", "soon", b"--expires"),
    ],
)
def test_an_unknown_role_or_a_day_that_has_passed_is_wrong_use(
    rowcast, file: Path, option: str, value: str, says: bytes
) -> None:
    done = rowcast("keys", "new", "bob", option, value, "--file", file)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr
    assert not file.exists()


def test_scopes_and_the_last_day_of_a_key_are_kept_and_listed(rowcast, file: Path) -> None:
    assert rowcast("keys", "new", "ann", "--role", "read+predict", "--expires", "9999-01-31", "--file", file).stdout
    assert re.fullmatch(r"ann:predict\+read:[0-9a-f]{64}:9999-01-31\n", file.read_text())
    with file.open("a") as lines:
        lines.write(f"old:predict:{DIGEST}:2001-01-31\n")
    listed = json.loads(rowcast("keys", "list", "--file", file, "--json").stdout)
    assert [(key["role"], key["scopes"], key["expires"], key["expired"]) for key in listed] == [
        ("predict+read", ["predict", "read"], "9999-01-31", False),
        ("user", ["predict"], "2001-01-31", True),
    ]
    assert rowcast("keys", "list", "--file", file).stdout.endswith(b"\t2001-01-31 (expired)\n")


def test_of_many_that_take_a_name_at_once_one_gets_it(file: Path) -> None:
    def take(number: int) -> bool:
        try:
            api_keys.new(file, f"name{number % 4}")
        except Unprocessable:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(32))) == 4
    assert sorted(key.name for key in api_keys.read(file)) == ["name0", "name1", "name2", "name3"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("alice", "the line must have the form NAME:ROLE:SHA256"),
        (f"alice:user:{DIGEST}:2027-01-31:x", "the line must have the form NAME:ROLE:SHA256"),
        (f"alice:user:{'0' * 64}:2027-02-30", "EXPIRES must be a date, for example 2027-01-31"),
        (f"alice:user:{'0' * 64}:", "EXPIRES must be a date, for example 2027-01-31"),
        (f"al ice:user:{DIGEST}", "a name has 1 to 64 letters"),
        (f":user:{DIGEST}", "a name has 1 to 64 letters"),
        (
            f"alice:root:{DIGEST}",
            "the role must be user or admin, or scopes with + between them: predict, read, models",
        ),
        (f"alice:predict+:{DIGEST}", "the role must be user or admin, or scopes"),
        (f"alice:user+read:{DIGEST}", "the role must be user or admin, or scopes"),
        ("alice:user:rc_secret", "SHA256 must be 64 hexadecimal digits"),
        (f"first:user:{'0' * 64}", "the name 'first' is already on an earlier line"),
        (f"alice:user:{DIGEST.upper()}", "the same key is already on an earlier line"),
    ],
)
def test_a_bad_line_is_named_with_what_it_takes_and_never_shown(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# comment\n\n  first:user:{DIGEST}  \n{line}\nlater:user:{'1' * 64}\n")
    with pytest.raises(BadKeysFile) as caught:
        api_keys.read(file)
    assert caught.value.detail.startswith(f"{file}, line 4: the line must have the form NAME:ROLE:SHA256")
    assert says in caught.value.detail
    assert "rc_secret" not in caught.value.detail
    assert "\n" not in caught.value.detail


def test_a_file_that_is_missing_or_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with pytest.raises(BadKeysFile, match="the file does not exist"):
        KeyRing(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadKeysFile, match="not UTF-8"):
        KeyRing(file)
    with pytest.raises(BadKeysFile, match="cannot be read"):
        KeyRing(tmp_path)


def test_a_change_is_seen_and_a_bad_one_keeps_the_keys_that_were_known(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "CHECK_INTERVAL_SECONDS", 0.0)
    alice = api_keys.new(file, "alice")
    ring = KeyRing(file)
    assert not ring.refresh()
    bob = api_keys.new(file, "bob", Role.ADMIN)
    assert ring.holder(bob) is None
    assert ring.refresh()
    assert [(key.name, key.role) for key in (ring.holder(alice), ring.holder(bob)) if key] == [
        ("alice", "user"),
        ("bob", "admin"),
    ]
    for broken in (lambda: file.write_text("nonsense\n"), file.unlink):
        broken()
        with pytest.raises(BadKeysFile):
            ring.refresh()
        assert not ring.refresh()  # said once
        assert ring.holder(alice)
    api_keys.new(file, "carol")
    assert ring.refresh()
    assert ring.holder(alice) is None


def test_the_file_is_not_looked_at_again_within_a_second(file: Path) -> None:
    api_keys.new(file, "alice")
    ring = KeyRing(file)
    file.unlink()
    assert not ring.refresh()


@pytest.mark.parametrize("secret", ["", "alice", DIGEST, "rc_X", "rc_x ", "rc_x\udc80", "ü"])
def test_nothing_but_the_key_is_the_key(file: Path, secret: str) -> None:
    file.parent.mkdir()
    file.write_text(f"alice:user:{DIGEST}\n")
    ring = KeyRing(file)
    assert ring.holder("rc_x")
    assert ring.holder(secret) is None
