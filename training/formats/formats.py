"""All formats of model files, and which of them a file has."""

from rowcast.errors import Unprocessable
from training.formats.joblib_format import JOBLIB
from training.formats.lightgbm_format import LIGHTGBM
from training.formats.model_format import ModelFormat
from training.formats.pickle_format import PICKLE
from training.formats.skops_format import SKOPS
from training.formats.xgboost_format import XGBOOST

FORMATS = (SKOPS, XGBOOST, LIGHTGBM, JOBLIB, PICKLE)
"""In the order in which they are asked whether a file is theirs."""


def recognise(name: str, data: bytes) -> ModelFormat:
    """Returns the format of a file. Its bytes decide, or else its name; without either it is taken for a pickle.

    Raises:
        Unprocessable: the bytes can run code when they are read, and the name is that of a format that cannot.
    """
    named = next((one for one in FORMATS if one.is_named(name)), None)
    found = next((one for one in FORMATS if one.recognises(data)), None)
    if found is not None and found.runs_code and named is not None and not named.runs_code:
        raise Unprocessable(
            f"{name} is named like a file by {named.name}, but is a {found.name}, which can run any code when it is "
            f"read. If you expected that and trust its source, rename it to end with {found.endings[0]}."
        )
    return found or named or PICKLE


def format_table() -> str:
    """Returns the table of the formats for `docs/models.md`."""
    rows = [
        f"| {one.name} | {', '.join(f'`{ending}`' for ending in one.endings[:3])} | {one.written_by} | "
        f"{f'`pip install {one.needs}`' if one.needs else ''} | {one.danger} |"
        for one in reversed(FORMATS)
    ]
    return "\n".join(
        ["| format | usual names | written by | needs | a hostile file can |", "| --- | --- | --- | --- | --- |", *rows]
    )
