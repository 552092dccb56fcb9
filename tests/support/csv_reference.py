"""A reader of CSV, letter by letter: slow, and simple enough to be believed."""

from dataclasses import dataclass, field


@dataclass
class Row:
    """One row: its text as sent with the line end, what its fields say, whether it has a carriage return too many."""

    sent: str = ""
    fields: list[str] = field(default_factory=lambda: [""])
    lone_return: bool = False


def read(text: str, delimiter: str, keeps_blanks: bool = False) -> tuple[list[Row], bool]:
    """The rows, empty lines left out, and whether a quote is open at the end.

    Lines of spaces and tabs are left out, too, unless `keeps_blanks`.
    """
    rows, row, state = [], Row(), "start"
    for index, letter in enumerate(text):
        row.sent += letter
        following = text[index + 1 : index + 2]
        if state == "quoted":
            if letter == '"':
                state = "closed"
            else:
                row.fields[-1] += letter
        elif letter == '"' and state == "closed":
            row.fields[-1] += letter
            state = "quoted"
        elif letter == '"' and state == "start":
            state = "quoted"
        elif letter == delimiter:
            row.fields.append("")
            state = "start"
        elif letter == "\n":
            rows.append(row)
            row, state = Row(), "start"
        elif letter == "\r" and following == "\n":
            pass
        else:
            row.lone_return |= letter == "\r"
            row.fields[-1] += letter
            state = "plain"
    if row.sent:
        rows.append(row)
    blanks = "" if keeps_blanks else {" ", "\t"} - {delimiter}
    lines = [row.sent.removesuffix("\r\n").removesuffix("\n") for row in rows]
    return [row for row, line in zip(rows, lines, strict=True) if not set(line) <= set(blanks)], state == "quoted"
