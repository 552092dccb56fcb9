"""A check of a stream's bytes: UTF-8 without NUL, block by block."""

import codecs

from rowcast.errors import NotUtf8, Unprocessable


class Utf8Check:
    """Holds the bytes of one unfinished character at most."""

    def __init__(self) -> None:
        self._begun = b""
        self._offset = 0
        """Where `_begun` lies, or the next block."""

    def feed(self, block: bytes) -> None:
        """Checks the next bytes.

        Raises:
            NotUtf8: with the offset, from the first byte ever fed, of the byte that does not fit.
            Unprocessable: there is a NUL byte.
        """
        nul = block.find(0)
        text = block if nul < 0 else block[:nul]
        if not self._begun and text.isascii():  # an order of magnitude faster than decoding
            self._offset += len(text)
        else:
            self._decode(self._begun + text, final=nul >= 0)
        if nul >= 0:
            raise Unprocessable.at(f"byte {self._offset}", "a NUL byte; the file is no text, or not UTF-8")

    def end(self) -> None:
        """Checks that the last character is whole."""
        self._decode(self._begun, final=True)

    def _decode(self, data: bytes, final: bool) -> None:
        try:
            _, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as error:
            raise NotUtf8(self._offset + error.start) from None
        self._offset += used
        self._begun = data[used:]
