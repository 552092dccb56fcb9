"""`GET /jobs/ID/receipt` and `GET /receipts/keys`: what was predicted, signed, and the keys to check it with."""

from typing import Literal

from flask import Blueprint, Response, jsonify
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented
from api.output.responses import LOOKUP_ERRORS, own_job
from api.receipts.receipt_document import Receipt
from api.receipts.receipt_maker import receipt_of
from api.services import current_services
from rowcast.errors import NoReceiptKey, ResultLost, WrongState

blueprint = Blueprint("receipts", __name__)


class ReceiptKey(TypedDict):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    #: The key, 32 bytes in base64url.
    x: str
    #: Its thumbprint (RFC 7638), which is the `key_id` of receipts.
    kid: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class ReceiptKeys(TypedDict):
    """A JSON Web Key Set (RFC 7517)."""

    #: First the key that signs, then those that have signed before. Empty if the gateway makes no receipts.
    keys: list[ReceiptKey]


@blueprint.get("/jobs/<job:id>/receipt")
@documented(
    Call(
        "jobs",
        {200: Answer("The receipt.", {JSON: Receipt}, ("Content-Disposition",))},
        (*LOOKUP_ERRORS, WrongState, ResultLost, NoReceiptKey),
    )
)
def get_receipt(id: str) -> Response:
    """Returns the signed receipt of a batch that has succeeded. `rowcast verify` checks it offline."""
    services, job = current_services(), own_job(id)
    response = Response(receipt_of(services, job), content_type=JSON)
    response.headers["Content-Disposition"] = f"attachment; filename={job.id}-receipt.json"
    return response


@blueprint.get("/receipts/keys")
@documented(Call("jobs", {200: Answer("The keys.", {JSON: ReceiptKeys})}))
def get_receipt_keys() -> Response:
    """Returns the public keys that receipts are checked with, as a JSON Web Key Set."""
    keys = current_services().receipts.keys
    return jsonify({"keys": [key.jwk() for key in keys.public] if keys else []})
