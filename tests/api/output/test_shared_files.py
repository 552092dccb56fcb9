"""Static files and pages of the documentation as curl gets them: compressed if asked for, and validated or kept."""

import gzip
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from programs import ROOT, Stack

STATIC = ROOT / "api" / "web" / "static"
PATHS = ["/static/page.css", "/static/page.js", "/docs", "/docs/api", "/docs/api.md", "/docs/try"]
PATHS += ["/docs/swagger-ui.css", "/openapi.json", "/llms.txt", "/docs/pictures/layers.svg"]


def curl(gateway: Stack, folder: Path, path: str, *options: str) -> tuple[int, httpx.Headers, bytes]:
    """Returns status, headers and body of what curl gets."""
    head, body = folder / "head", folder / "body"
    body.unlink(missing_ok=True)
    subprocess.run(["curl", "-sS", "-D", head, "-o", body, *options, gateway.url + path], check=True)
    status, *lines = head.read_text().strip().splitlines()
    headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines])
    return int(status.split()[1]), headers, body.read_bytes() if body.exists() else b""


@pytest.mark.parametrize("path", PATHS)
def test_curl_gets_it_compressed_if_it_asks(gateway: Stack, tmp_path: Path, path: str) -> None:
    status, headers, whole = curl(gateway, tmp_path, path)
    assert (status, headers.get("Content-Encoding"), headers["Vary"]) == (200, None, "Accept-Encoding")
    asking = ("-H", "Accept-Encoding: gzip")
    status, packed_headers, packed = curl(gateway, tmp_path, path, *asking)
    assert (status, packed_headers["Content-Encoding"], packed_headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert int(packed_headers["Content-Length"]) == len(packed) < len(whole)
    assert gzip.decompress(packed) == whole
    assert packed_headers["Content-Type"] == headers["Content-Type"]
    assert packed_headers["Cache-Control"] == headers["Cache-Control"] == "no-cache"
    tags = headers["ETag"], packed_headers["ETag"]
    assert tags[0] != tags[1], "they are not the same bytes"
    for options, tag in (((), tags[0]), (asking, tags[1])):
        status, again, body = curl(gateway, tmp_path, path, *options, "-H", f"If-None-Match: {tag}")
        assert (status, again["ETag"], body) == (304, tag, b"")
    assert curl(gateway, tmp_path, path, *asking, "-H", f"If-None-Match: {tags[0]}")[0] == 200
    status, headers, body = curl(gateway, tmp_path, path, "-I", *asking)
    assert (status, headers["ETag"]) == (200, tags[1])
    status, headers, body = curl(gateway, tmp_path, path, *asking, "-r", "2-5")
    assert (status, headers.get("Content-Encoding"), body) == (206, None, whole[2:6])


def test_what_gzip_cannot_shrink_is_sent_as_it_is(gateway: Stack, tmp_path: Path) -> None:
    status, headers, body = curl(gateway, tmp_path, "/docs/pictures/page-job.png", "--compressed")
    assert (status, headers["Content-Type"], headers.get("Content-Encoding")) == (200, "image/png", None)
    assert body == (ROOT / "docs" / "pictures" / "page-job.png").read_bytes()


def test_browsers_keep_the_version_of_a_file_that_the_page_names(gateway: Stack, tmp_path: Path) -> None:
    _, headers, body = curl(gateway, tmp_path, "/", "--compressed")
    assert (headers["Content-Encoding"], headers["Vary"], headers["Cache-Control"]) == (
        *("gzip", "Accept-Encoding"),
        "no-store",
    )
    page = body.decode()  # curl has decompressed it
    paths = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    found = (re.findall(r'(?:from |import |import\()"\./(\w+\.js)"', file.read_text()) for file in STATIC.glob("*.js"))
    imported = {name for names in found for name in names}
    named = {path.rpartition("/")[2] for path in paths}
    assert named | imported == {file.name for file in STATIC.iterdir()}
    folder = next(path.rpartition("/")[0] for path in paths if path.endswith("/page.js"))
    paths |= {f"{folder}/{name}" for name in imported}
    for path in paths:
        status, headers, body = curl(gateway, tmp_path, path)
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        assert body == (STATIC / path.rpartition("/")[2]).read_bytes()
        folder, _, name = path.rpartition("/")
        assert curl(gateway, tmp_path, f"{folder}0/{name}")[1]["Cache-Control"] == "no-cache"  # of another version
    assert curl(gateway, tmp_path, "/static/nothing.css")[0] == 404
    assert curl(gateway, tmp_path, "/static/x/..%2fpages.py")[0] == 404
