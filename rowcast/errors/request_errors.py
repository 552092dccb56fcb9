"""Errors in a request, which the caller can correct. Those in a file are in `file_errors.py`."""

from rowcast.errors.root import RowcastError


class Refused(RowcastError):
    """The request is wrong."""

    slug = "refused"
    title = "Refused"
    remedy = "Correct the request as `detail` and `errors` say."


class Unreadable(Refused):
    """The request could not be read at all."""

    slug = "unreadable"
    title = "Unreadable request"
    remedy = "Correct the body as `detail` says, and send it again."


class NotJson(Unreadable):
    """The body, or a line of NDJSON, is not valid JSON: bad syntax, `NaN`, a key that occurs twice, or not UTF-8."""

    slug = "not-json"
    title = "Not JSON"
    remedy = "Write the body with a JSON library, in UTF-8; write a missing number as `null`."


class BrokenForm(Unreadable):
    """The body is not valid multipart/form-data."""

    slug = "broken-form"
    title = "Broken form"
    remedy = "Let a library or `curl -F file=@in.csv` write the form and its Content-Type with the boundary."


class BrokenCompression(Unreadable):
    """The compressed body is damaged, ends too early, or is suspiciously large when it is decompressed."""

    slug = "broken-compression"
    title = "Broken compression"
    remedy = "Compress the file again, or send it without compression and without `Content-Encoding`."


class BodyCutShort(Unreadable):
    """The body was cut off, or stalled, before its end. Only of a resumable upload, what arrived is kept."""

    slug = "body-cut-short"
    title = "Body cut short"
    remedy = (
        "Send the file again, or go on with a resumable upload (`POST /uploads`) where it broke off. If it happens "
        "again, check the time limits of proxies in between."
    )


class Unprocessable(Refused):
    """The request could be read, but something in it is not valid."""

    slug = "invalid-request"
    title = "Invalid request"
    remedy = "Correct what `errors` lists, and send the request again."


class UnknownOption(Unprocessable):
    """The request has an option or parameter that does not exist."""

    slug = "unknown-option"
    title = "Unknown option"
    remedy = "Use the nearest name, which the message gives, or remove the option. `/docs` lists all options."


class OptionValue(Unprocessable):
    """An option, a parameter or a header has a value that is not valid, or is given more than once."""

    slug = "option-value"
    title = "Invalid value of an option"
    remedy = "Use a value that the message describes, and give each option once."


class OptionUnsuitable(Unprocessable):
    """An option is valid, but not for this kind of body, or not for this model."""

    slug = "option-unsuitable"
    title = "Option does not apply"
    remedy = "Remove the option, or choose the body or the model that it applies to."


class WebhookRefused(Unprocessable):
    """The URL of a webhook is not valid, or leads to an address that this service does not call."""

    slug = "webhook-refused"
    title = "Webhook refused"
    remedy = (
        "Give an `https://` URL whose host has only public addresses. The operator can allow loopback and private "
        "addresses, and `http://`, with `ROWCAST_WEBHOOK_PRIVATE=true`, and turns webhooks on with "
        "`ROWCAST_WEBHOOK_SECRET`."
    )


class NoDefaultModel(Unprocessable):
    """The request does not name a model, and the default model does not exist."""

    slug = "no-default-model"
    title = "No default model"
    remedy = "Name one of the models with `model`, or start the service with `ROWCAST_DEFAULT_MODEL`."

    #: The largest number of names in the message.
    _SHOWN = 20

    def __init__(self, wanted: str, names: list[str]) -> None:
        #: The names of all models.
        self.names = names
        if names:
            more = f" and {len(names) - self._SHOWN} more" if len(names) > self._SHOWN else ""
            message = (
                f"the default model {wanted!r} does not exist; name one of {', '.join(names[: self._SHOWN])}{more}"
            )
        else:
            message = "no model is registered yet; add one with `rowcast models add` or `rowcast train`"
        super().__init__(f"model: {message}", [{"where": "model", "message": message}])


class KeyReused(Unprocessable):
    """The Idempotency-Key was used before with a different request."""

    slug = "idempotency-key-reused"
    title = "Idempotency-Key reused"
    remedy = "Use a new key for a new request. To repeat a request, send exactly the same bytes and options."


class BodyShape(Unprocessable):
    """The JSON body does not have the structure that this call expects."""

    slug = "body-shape"
    title = "Wrong structure of the body"
    remedy = 'Send `{"features": ...}` for one row or `{"instances": [...]}` for many, as `/docs` shows.'


class RowValues(Unprocessable):
    """A row in the JSON body does not fit the model: a value has the wrong type, is missing, or is one too many."""

    slug = "row-values"
    title = "Values do not fit the model"
    remedy = "Correct the values that `errors` lists. `GET /models/NAME/versions/VERSION` lists the features."


class InvalidName(Unprocessable):
    """The name of a model, a version, an alias or an API key has characters or a length that are not allowed."""

    slug = "invalid-name"
    title = "Invalid name"
    remedy = "Choose a name that follows the rule in the message."


class TooLarge(Refused):
    """The request exceeds one of the service's limits."""

    slug = "too-large"
    title = "Too large"
    remedy = "Send less, or ask the operator to raise the setting that the message names."

    def __init__(self, what: str, limit: int, setting: str) -> None:
        """`what` names what is too large, and its unit. `setting` names the setting that raises the limit.

        If no setting can raise the limit, `setting` is `fixed`.
        """
        super().__init__(f"{what} is over the limit of {limit} ({setting}).")
        self.what, self.limit, self.setting = what, limit, setting


class UnsupportedType(Refused):
    """The call does not support this content type, content encoding or character set."""

    slug = "unsupported-type"
    title = "Unsupported type"
    remedy = "Send one of the types that the message lists, and name it in `Content-Type`."
