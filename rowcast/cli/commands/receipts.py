"""The commands for receipts: receipt, verify, and the gateway's key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Json, Url, client
from rowcast.cli.data_location import Data, find_data_location
from rowcast.cli.output import json_text, print_json, say
from rowcast.cli.output_files import Force, require_free
from rowcast.cli.typer_app import App

if TYPE_CHECKING:
    from rowcast.receipts.key_files import PublicKey

receipt_key = App(help="Make the key that signs receipts, and show its public part.", no_args_is_help=True)

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="File of the gateway's keys.",
        envvar="ROWCAST_RECEIPT_KEY_FILE",
        show_envvar=True,
        show_default="receipt-key.pem in the data folder",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(receipt)
    app.command()(verify)
    receipt_key.command()(new)
    receipt_key.command()(public)
    app.add_typer(receipt_key, name="receipt-key")


def receipt(
    job_id: JobId,
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="RECEIPT.json", help="File; - is standard output.")] = "-",
    force: Force = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Get the signed receipt of a job: what was predicted, by which model, from which file.

    Examples:
        rowcast receipt 01a2054e -o receipt.json
        rowcast verify receipt.json --input in.csv --result out.csv --key keys.json
    """
    from rowcast.client.download import open_sink

    require_free(out, force=force)
    with client(url, api_key, data) as service, open_sink(out) as sink:
        document = service.job(job_id).receipt()
        sink.write(f"{json_text(document)}\n".encode())


def verify(
    receipt_file: Annotated[Path, typer.Argument(metavar="RECEIPT.json", help="What `rowcast receipt` wrote.")],
    *,
    input: Annotated[
        Path | None, typer.Option("--input", help="The file that was sent; a gzip or zip is read, too.")
    ] = None,
    result: Annotated[Path | None, typer.Option("--result", help="The result, as CSV.")] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Public keys that you trust: PEM, a saved /receipts/keys, or a folder of them."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Service to fetch the public keys from, if there is no --key.")
    ] = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Check a receipt against the files and the key. Needs no service.

    Exit code 0: everything agrees. 1: something differs; each line says what. 2: it cannot be checked.

    Examples:
        rowcast verify receipt.json --input in.csv --result out.csv --key keys.json
        rowcast verify receipt.json --result out.csv
    """
    from rowcast.receipts.signed_document import parse
    from rowcast.receipts.verification import Verification, check_files, check_signature, require_receipt

    files = {name: file for name, file in (("input", input), ("result", result)) if file is not None}
    if not files and key is None and url is None:
        raise typer.BadParameter("There is nothing to compare the receipt with.", param_hint="--input, --result, --key")
    document, found = parse(receipt_file.read_bytes()), Verification()
    if key is not None or url is not None:
        check_signature(document, _keys(key, url, api_key), key or url, found)
    else:
        say(
            f"Only hashes are checked, not the signature. The receipt claims to be signed by {document.get('key_id')}: "
            "check it with --key."
        )
    if found.holds:  # in a document that was changed, the hashes mean nothing
        require_receipt(document)
        check_files(document, files, found)
    if json:
        print_json({"ok": found.holds, "agreed": found.agreed, "differences": found.differences})
    else:
        for sentence in found.agreed:
            print(sentence)
        for sentence in found.differences:
            say(sentence)
    raise typer.Exit(0 if found.holds else 1)


def new(file: KeyFile = None, data: Data = None) -> None:
    """Make a new private key, the first in the file, which signs from the gateway's next start on.

    Earlier keys in the file lose their private part and stay, so that receipts that they signed can still be checked.

    Examples:
        rowcast receipt-key new
        rowcast receipt-key new --file /run/secrets/receipt-key.pem
    """
    from rowcast.receipts.key_files import make_key

    file = _key_file(file, data)
    keys = make_key(file)
    say(f"{file} has the new key {keys.public[0].id}. Start the gateway again to sign with it.")


def public(file: KeyFile = None, data: Data = None) -> None:
    """Print the public keys as PEM, for `rowcast verify --key`.

    Examples:
        rowcast receipt-key public > trusted.pem
    """
    from rowcast.receipts.key_files import public_pem, read_signing_keys

    print(public_pem(read_signing_keys(_key_file(file, data)).public).decode(), end="")


def _keys(key: Path | None, url: str | None, api_key: str | None) -> "dict[str, PublicKey]":
    from rowcast.receipts.key_files import keys_in_document, read_public_keys
    from rowcast.receipts.signature_library import require_libraries

    require_libraries()
    if key is not None:
        return read_public_keys(key)
    with client(url, api_key, None) as service:
        return keys_in_document(service.receipt_keys(), url)


def _key_file(file: Path | None, data: Path | None) -> Path:
    from rowcast.local.data_folder import RECEIPT_KEY
    from rowcast.receipts.signature_library import require_libraries

    require_libraries()
    if file is not None and data is None:
        return file
    return find_data_location(data).folder / RECEIPT_KEY
