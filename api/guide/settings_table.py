"""The settings as a Markdown table: `python -m api.guide.settings_table`."""

from rowcast.secret_files import SECRETS, file_variable, variable
from rowcast.settings import Settings


def table() -> str:
    """Returns a row for each setting: its variable, default and meaning."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, "") else f"`{_plain(field.default)}`"
        lines.append(f"| `{variable(name)}` | {default} | {field.description} |")
        if name in SECRETS:
            lines.append(f"| `{file_variable(name)}` | none | File that has `{name.upper()}`, instead of it. |")
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:_}".replace("_", "") if isinstance(value, int) else f"{value}"


if __name__ == "__main__":
    print(table(), end="")
