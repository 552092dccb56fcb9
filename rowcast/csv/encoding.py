"""The encoding of a file: its bytes become UTF-8, block by block, and the first byte that is not text is found."""

import codecs
from dataclasses import dataclass

from rowcast.errors import NotText, OptionValue

_UTF_8_MARK = codecs.BOM_UTF8
_UTF_32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LONGEST_MARK = 4

_SINGLE_BYTE = {"windows-1252": "cp1252", "latin-1": "latin-1"}

_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "windows-1252": "Windows-1252", "latin-1": "Latin-1"}


@dataclass
class BadByte(Exception):
    """A byte does not belong to text of this encoding."""

    offset: int
    """Its place in the file as it was sent, from 0."""
    good: bytes
    """What stands between the last block and this byte, in UTF-8."""
    message: str
    """Names byte and place, and what to do."""
    is_nul: bool = False


class Decoder:
    """Turns the bytes of a file into UTF-8 without a byte order mark. Holds no more than one unfinished character."""

    def __init__(self, encoding: str, offset: int = 0) -> None:
        """`encoding` is as the option of this name. `offset` is where the first block lies in the file."""
        self._option = encoding
        self._first_bytes = b""
        """The first bytes, until there are enough of them to know the mark."""
        self._codec: codecs.IncrementalDecoder | None = None
        """None for UTF-8."""
        self._raw = "utf-8"
        """Python's name of the encoding, without a mark."""
        self._unfinished = b""
        """The bytes of the unfinished character."""
        self._offset = offset
        """Offset in the file of the next block; for UTF-8, of `_unfinished` if it has any bytes."""
        self.has_mark = False
        """Whether the result begins with the byte order mark of UTF-8, because one came."""
        self.encoding = ""
        """The encoding by its name; empty until the first bytes have come."""

    def feed(self, block: bytes) -> bytes:
        """Returns the next bytes in UTF-8.

        Raises:
            BadByte: a byte does not belong to this encoding, or is NUL.
            OptionValue: the mark says another encoding than the option.
        """
        if self.encoding:
            return self._decoded(block)
        self._first_bytes += block
        if len(self._first_bytes) < _LONGEST_MARK:
            return b""
        return self._begin()

    def end(self) -> bytes:
        """Returns what has not been returned yet.

        Raises:
            BadByte: the last character is not whole.
        """
        rest = b"" if self.encoding else self._begin()
        if self._unfinished:
            offset = self._offset if self._codec is None else self._offset - len(self._unfinished)
            raise self._not_text(offset, self._unfinished[0], rest)
        return rest

    def _begin(self) -> bytes:
        self.encoding, mark = self._recognized()
        self._offset += len(mark)
        self.has_mark = bool(mark) or self.encoding == "utf-16"
        if self.encoding != "utf-8":
            self._raw = _SINGLE_BYTE.get(self.encoding) or _UTF_16_MARKS.get(mark, "utf-16-le")
            self._codec = codecs.getincrementaldecoder(self._raw)()
        first, self._first_bytes = self._first_bytes[len(mark) :], b""
        return self._decoded(first)

    def _recognized(self) -> tuple[str, bytes]:
        """Returns the encoding and the mark that the file begins with, or the mark that it has none."""
        first, found, mark = self._first_bytes, "", b""
        if first.startswith(_UTF_32_MARKS):
            raise NotText.at("file", "is UTF-32; save it as UTF-8")
        if first.startswith(_UTF_8_MARK):
            found, mark = "utf-8", _UTF_8_MARK
        elif first[:2] in _UTF_16_MARKS:
            found, mark = "utf-16", first[:2]
        if self._option == "auto":
            return found or "utf-8", mark
        if found not in ("", self._option):
            raise OptionValue.at("encoding", f"the file begins with the byte order mark of {_NAMES[found]}")
        return self._option, mark

    def _decoded(self, block: bytes) -> bytes:
        return self._checked(block) if self._codec is None else self._recoded(self._codec, block)

    def _checked(self, block: bytes) -> bytes:
        """Returns the same bytes, which are UTF-8 already; an unfinished character is kept for the next block."""
        nul = block.find(0)
        text = block if nul < 0 else block[:nul]
        if self._unfinished or not text.isascii():  # isascii is an order of magnitude faster than decoding
            text = self._unfinished + text
            try:
                _, used = codecs.utf_8_decode(text, "strict", nul >= 0)
            except UnicodeDecodeError as error:
                at = error.start
                raise self._not_text(self._offset + at, text[at], text[:at]) from None
            self._unfinished, text = text[used:], text[:used]
        self._offset += len(text)
        if nul >= 0:
            raise self._nul(self._offset, text)
        return text

    def _recoded(self, codec: codecs.IncrementalDecoder, block: bytes) -> bytes:
        begun = codec.getstate()[0]
        start = self._offset - len(begun)
        try:
            text = codec.decode(block)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(self._raw).encode()
            raise self._not_text(start + error.start, error.object[error.start], good) from None
        self._offset += len(block)
        self._unfinished = codec.getstate()[0]
        if "\0" in text:
            before = text[: text.index("\0")]
            raise self._nul(start + len(before.encode(self._raw)), before.encode())
        return text.encode()

    def _not_text(self, offset: int, byte: int, good: bytes) -> BadByte:
        message = f"byte 0x{byte:02X} at offset {offset} is not {_NAMES[self.encoding]}"
        if self.encoding == "utf-8":
            message += "; if the file is from Windows, send encoding=windows-1252"
        return BadByte(offset, good, message)

    def _nul(self, offset: int, good: bytes) -> BadByte:
        message = f"a NUL byte at offset {offset}; the file is not text"
        if self.encoding == "utf-8":
            message += ", or it is UTF-16 without a byte order mark (send encoding=utf-16)"
        return BadByte(offset, good, message, is_nul=True)
