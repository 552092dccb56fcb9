import io
import os
import socket
import threading
from pathlib import Path

import pandas
import pytest
from fake_service import FakeService, Handler, hangs_up, refuses_the_header

from rowcast.client import Client, Unprocessable, WrongUse
from rowcast.client.errors import ClientError
from rowcast.client.http.retries import Patience
from rowcast.client.upload import Upload


def test_a_file_is_sent_with_its_length_and_name(service: FakeService, client: Client, tmp_path) -> None:
    path = tmp_path / "Fahrgäste 1.csv"
    path.write_bytes(b"age,pclass\n25,3\n")
    seen: list[tuple[int, int | None]] = []
    client.submit_csv(path, on_progress=lambda done, total: seen.append((done, total)))
    request = service.seen[-1]
    assert request.body == b"age,pclass\n25,3\n"
    assert request.headers["content-length"] == "16"
    assert request.headers["content-type"] == "text/csv"
    assert request.headers["content-disposition"] == "attachment; filename*=UTF-8''Fahrg%C3%A4ste%201.csv"
    assert seen == [(16, 16)]


def test_a_packed_file_says_so(service: FakeService, client: Client, tmp_path) -> None:
    path = tmp_path / "in.csv.gz"
    path.write_bytes(b"\x1f\x8b")
    client.submit_csv(path)
    assert service.seen[-1].headers["content-encoding"] == "gzip"


def test_a_pipe_is_sent_in_chunks(service: FakeService, client: Client, pipe_of) -> None:
    data = b"a,b\n" + b"1,2\n" * 200_000
    client.submit_csv(pipe_of(data))
    assert service.seen[-1].headers["transfer-encoding"] == "chunked"
    assert service.seen[-1].body == data


def test_a_named_pipe_is_opened_once(service: FakeService, client: Client, tmp_path: Path) -> None:
    """Its writer would be gone when it is opened again."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"a\n1\n",))
    writer.start()
    client.submit_csv(tmp_path / "pipe")
    writer.join()
    assert service.seen[-1].body == b"a\n1\n"


def test_a_file_that_is_open_is_sent_from_where_it_stands(service: FakeService, client: Client) -> None:
    file = io.BytesIO(b"# a remark\na\n1\n")
    file.readline()
    client.submit_csv(file)
    assert service.seen[-1].body == b"a\n1\n"


def test_an_empty_file_is_the_services_to_judge(service: FakeService, client: Client) -> None:
    client.submit_csv(b"")
    assert service.seen[-1].headers["content-length"] == "0"


def test_options_travel_in_the_query(service: FakeService, client: Client) -> None:
    client.submit_csv(
        b"x", model="titanic@2", probabilities=True, header=False, key=["id", "name"], max_errors=0, delimiter="\t"
    )
    assert service.seen[-1].query == {
        "model": "titanic@2",
        "probabilities": "true",
        "header": "false",
        "key": "id,name",
        "max_errors": "0",
        "delimiter": "tab",
    }


def test_an_early_refusal_arrives_as_what_it_is_and_ends_the_sending(
    service: FakeService, client: Client, tmp_path
) -> None:
    path = tmp_path / "wrong.csv"
    with path.open("wb") as file:
        file.write(b"name\n")
        file.truncate(2 * 1024**3)  # sparse: two gigabytes that take no room
    service.fails("POST /predict", refuses_the_header)
    sent: list[int] = []
    with pytest.raises(Unprocessable, match="lacks 'age'"):
        client.submit_csv(path, on_progress=lambda done, total: sent.append(done))
    assert sent[-1] < 100 * 1024**2


def test_a_reset_after_the_answer_does_not_hide_the_answer() -> None:
    """The answer and the reset are both there before the client looks: as on a slow machine."""
    server = socket.create_server(("127.0.0.1", 0))
    body = b'{"status": 422, "detail": "no such column"}'

    def refuse() -> None:
        connection, _ = server.accept()
        connection.recv(100)
        connection.sendall(
            b"HTTP/1.1 422 Unprocessable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        connection.close()  # with bytes unread: a reset

    thread = threading.Thread(target=refuse)
    thread.start()
    with (
        server,
        Client(f"http://127.0.0.1:{server.getsockname()[1]}", patience=Patience(0, 0)) as client,
        pytest.raises(Unprocessable, match="no such column"),
    ):
        client.submit_csv(b"a,b\n" + b"1,2\n" * 10_000_000)
    thread.join()


def test_what_cannot_be_read_is_said_before_anything_is_sent(service: FakeService, client: Client, tmp_path) -> None:
    with pytest.raises(WrongUse, match="No such file"):
        client.submit_csv(tmp_path / "none.csv")
    with pytest.raises(WrongUse, match="binary mode"):
        client.submit_csv(io.StringIO("a\n1\n"))  # type: ignore[arg-type]
    for nothing in (None, 5, ["age"], pandas.DataFrame({"age": [25]})):
        with pytest.raises(WrongUse, match="given as its path, as bytes or as an open binary file"):
            client.submit_csv(nothing)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match=r"pass the text of a file as bytes, text\.encode\(\)"):
        client.submit_csv("age,pclass\n25,3\n")
    assert not service.jobs


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_of_every_kind_are_sent(service: FakeService, client: Client, kind: type) -> None:
    client.submit_csv(kind(b"a\n1\n"))
    assert service.seen[-1].body == b"a\n1\n"


def test_a_name_that_is_not_utf8_is_sent(service: FakeService, client: Client, tmp_path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    Path(path).write_bytes(b"a\n1\n")
    client.submit_csv(path)
    assert service.seen[-1].headers["content-disposition"] == "attachment; filename*=UTF-8''caf%EF%BF%BD.csv"


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was(service: FakeService, client: Client, tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a\n" * 500_000)

    def grow(done: int, total: int | None) -> None:
        with path.open("ab") as file:
            file.write(b"more\n")

    client.submit_csv(path, on_progress=grow)
    assert service.seen[-1].body == b"a\n" * 500_000


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(client: Client, tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a\n" * 500_000)
    with pytest.raises(ClientError, match="shorter"):
        client.submit_csv(path, on_progress=lambda done, total: path.write_bytes(b"a\n"))


def test_a_file_that_is_overwritten_while_it_is_sent_is_an_error(
    service: FakeService, client: Client, tmp_path
) -> None:
    """Otherwise the job would have rows of both files."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"a\n" * 500_000)
    os.utime(path, ns=(1, 1))
    with pytest.raises(WrongUse, match="was changed while it was sent"):
        client.submit_csv(path, on_progress=lambda done, total: path.write_bytes(b"b\n" * 500_000))


def test_a_file_that_is_replaced_before_it_is_sent_again_is_an_error(
    service: FakeService, client: Client, tmp_path
) -> None:
    """Otherwise its rows beyond the length of the first file would be left out."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"a\n1\n")

    def replace_and_hang_up(handler: Handler) -> None:
        handler.read_body()
        (tmp_path / "new").write_bytes(b"a\n1\n2\n3\n")
        (tmp_path / "new").replace(path)
        hangs_up(handler)

    service.fails("POST /predict", replace_and_hang_up)
    with pytest.raises(WrongUse, match="was replaced"):
        client.submit_csv(path)
    assert not service.jobs


@pytest.mark.parametrize(
    ("name", "type", "encoding"),
    [
        ("in.csv", "text/csv", None),
        ("in.PARQUET", "application/vnd.apache.parquet", None),
        ("in.parquet.gz", "application/vnd.apache.parquet", "gzip"),
        ("in.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", None),
    ],
)
def test_the_ending_of_a_file_gives_its_content_type(
    tmp_path: Path, name: str, type: str, encoding: str | None
) -> None:
    (tmp_path / name).write_bytes(b"PAR1")
    headers = Upload(tmp_path / name).file_headers
    assert (headers["Content-Type"], headers.get("Content-Encoding")) == (type, encoding)
