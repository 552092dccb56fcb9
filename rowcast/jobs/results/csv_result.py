"""Results as CSV: the rows of the input, byte for byte, with the added cells behind them (RFC 4180)."""

import numpy as np

from rowcast.csv import scan
from rowcast.csv.header import Header
from rowcast.csv.write import csv_cell
from rowcast.jobs.options import Options
from rowcast.jobs.results.result_columns import added_names
from rowcast.models.model_set import ModelSet

_MARK = b"\xef\xbb\xbf"


class CsvResult:
    """Writes CSV with the delimiter and the line ends of the input."""

    media_type = "text/csv"
    content_type = "text/csv; charset=utf-8"
    extension = "csv"

    def header(
        self,
        header: Header | None,
        options: Options,
        models: ModelSet,
        line_end: bytes,
        *,
        has_mark: bool,
        separator: bytes,
    ) -> bytes:
        """Returns what comes before the first row of a result.

        Args:
            header: the header of the file, or None if the file has no header.
            options: the options, with the delimiter that was found. With `output=predictions`, only the columns of
                `key` are kept.
            models: the models that predict.
            line_end: the line end of the header line.
            has_mark: whether the result begins with a byte order mark.
            separator: the line of the file that names its delimiter, for example `sep=;`. A joined result repeats it.
        """
        mark = _MARK if has_mark else b""
        if options.output == "joined":
            mark += separator
        return mark + (_header_line(header, options, models, line_end) if header else b"")

    def rows(
        self,
        data: bytes,
        fields: scan.Fields,
        added: list[bytes],
        *,
        columns: tuple[str, ...],
        line_end: bytes,
        options: Options,
    ) -> bytes:
        """Returns the rows of the result: kept bytes, delimiter, added cells, and the row's own line end.

        Args:
            data: whole rows of the input, shape (rows,) by `fields.lines`.
            fields: where the rows and fields of `data` are.
            added: the added cells of each row, joined by the delimiter.
            columns: the columns of the input.
            line_end: for a last row that has none.
            options: with the delimiter that was found.
        """
        delimiter = options.delimiter.encode()
        if options.output == "joined" and fields.lines.are_plain and len(set(map(len, added))) == 1:
            return _spliced(data, fields.lines, added, delimiter)
        kept = _kept(data, fields, columns, options)
        if not kept:  # one column: an empty cell must not become a blank line
            added = [cell or b'""' for cell in added]
        width = 2 * len(kept) + 2
        pieces = [delimiter] * (width * len(added))
        for place, column in enumerate(kept):
            pieces[2 * place :: width] = column
        pieces[width - 2 :: width] = added
        pieces[width - 1 :: width] = _line_ends(data, fields.lines, line_end)
        return b"".join(pieces)


def _header_line(header: Header, options: Options, models: ModelSet, line_end: bytes) -> bytes:
    """Returns the columns of the file as they were sent, then the added ones."""
    delimiter = options.delimiter
    line = header.line.removesuffix(b"\n").removesuffix(b"\r")
    kept = [line]
    if options.output == "predictions":
        sent = scan.fields(line, delimiter)
        kept = [_key_name(sent[header.columns.index(name)], name, delimiter) for name in options.key]
    added = added_names(options, models)
    return delimiter.encode().join([*kept, *(csv_cell(name, delimiter) for name in added)]) + line_end


def _key_name(sent: bytes, name: str, delimiter: str) -> bytes:
    """Returns the name of a column of `key`: as it was sent, or as pandas renamed it (`score.1`, `Unnamed: 0`)."""
    return sent if scan.text(sent) == name else csv_cell(name, delimiter)


def _spliced(data: bytes, lines: scan.Lines, added: list[bytes], delimiter: bytes) -> bytes:
    """Returns the rows of plain lines, if all cells have one length: in one step, as an object for each row is slow."""
    width = len(added[0])
    spliced = bytearray(data).replace(b"\n", delimiter + b"?" * width + b"\n")
    places = lines.ends + 1 + (width + 1) * np.arange(len(added))
    cells = np.frombuffer(b"".join(added), np.uint8).reshape(len(added), width)
    np.frombuffer(spliced, np.uint8)[places[:, None] + np.arange(width)] = cells
    return bytes(spliced)


def _kept(data: bytes, fields: scan.Fields, columns: tuple[str, ...], options: Options) -> list[list[bytes]]:
    """Returns the bytes of the input that go before the added cells, as columns: whole rows, or the key's cells."""
    if options.output == "joined":
        if fields.lines.are_plain:
            return [data.split(b"\n")[:-1]]
        return [_slices(data, fields.lines.starts, fields.lines.ends)]
    return [_slices(data, *fields.spans(columns.index(name))) for name in options.key]


def _slices(data: bytes, begins: scan.Positions, ends: scan.Positions) -> list[bytes]:
    return [data[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]


def _line_ends(data: bytes, lines: scan.Lines, default: bytes) -> list[bytes]:
    if lines.are_plain:
        return [b"\n"] * len(lines)
    kinds = (default, b"\n", b"\r\n")
    return [kinds[length] for length in (lines.stops - lines.ends).tolist()]
