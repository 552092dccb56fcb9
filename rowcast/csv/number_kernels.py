"""The compiled function that reads numbers from the bytes of a CSV, with the bits of Python's `float` and of pandas.

Everything is in one file because numba's cache notices changes of a function's own file only. The small functions take
numbers only: an array would be passed in ten registers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, float64, int64, njit, uint8, uint64

from rowcast.compiling import compiled, table

LEAST_EXPONENT, MOST_EXPONENT = -342, 308
"""Powers of ten beyond these make any 19 digits zero or infinite."""

DOUBTFUL = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Takes the place of a cell that is not certainly a number. As a float it would be a NaN that no cell means."""

_MISSING = np.uint64(0x7FF8000000000000)
"""The bits of `numpy.nan`."""

intrinsic: Callable[[Any], Any] = extending.intrinsic

_ZERO, _NINE, _PLUS, _MINUS, _POINT, _SMALL_E, _LARGE_E = b"09+-.eE"

_MOST_DIGITS = 19
"""This number of digits always fits into 64 bits."""

_EXACT_INTEGER = np.uint64(1 << 53)
"""Integers up to this and powers of ten up to 10**22 are exact as floats. Their product or quotient is rounded once."""

_EXACT_POWER = 22
_EXACT_POWERS = 10.0 ** np.arange(_EXACT_POWER + 1)

_EXPONENT_DIGITS = np.uint64(4)

_PLAIN_BYTES = 24
"""Largest length of a cell that is read eight bytes at a time."""

_ONES, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_ZEROS, _POINTS, _ABOVE_NINE = np.uint64(_ZERO) * _ONES, np.uint64(_ZERO ^ _POINT) * _ONES, np.uint64(0x76) * _ONES
_PAIRS = np.uint64(0x000000FF000000FF)
_WEIGHTS, _OTHER_WEIGHTS = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))
"""How eight digits become a number (D. Lemire): first pairs of digits, then their sum by weight."""


def _powers_of_five() -> Any:
    """Returns the upper 128 bits of 5**q for each exponent q, shape (exponents, 2): the upper and the lower half.

    Those below 5**0 are rounded up, the others down, as the method of Eisel and Lemire needs them.
    """
    found = np.empty((MOST_EXPONENT - LEAST_EXPONENT + 1, 2), np.uint64)
    for q in range(LEAST_EXPONENT, MOST_EXPONENT + 1):
        power = 5 ** abs(q)
        bits = power.bit_length()
        rounded_down = power << 128 - bits if bits < 128 else power >> bits - 128
        top = rounded_down if q >= 0 else (1 << bits + 127) // power + 1
        found[q - LEAST_EXPONENT] = top >> 64, top & (1 << 64) - 1
    return found


POWERS_OF_FIVE = _powers_of_five()


@intrinsic
def _word_at(_context: Any, _address: Any) -> Any:
    """Returns the eight bytes at an address, as a number whose lowest byte is the first."""

    def build(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return uint64(uint64), build


@intrinsic
def _byte_at(_context: Any, _address: Any) -> Any:
    """Returns the byte at an address."""

    def build(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return builder.zext(byte, ir.IntType(64))

    return uint64(uint64), build


@intrinsic
def _upper_half(_context: Any, _a: Any, _b: Any) -> Any:
    """Returns the upper 64 bits of a product."""

    def build(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        a, b = (builder.zext(one, wide) for one in arguments)
        return builder.trunc(builder.lshr(builder.mul(a, b), wide(64)), ir.IntType(64))

    return uint64(uint64, uint64), build


@intrinsic
def _leading_zeros(_context: Any, _word: Any) -> Any:
    """Returns the number of zero bits above the highest one; the word is not 0."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.ctlz(arguments[0], ir.IntType(1)(1))


@intrinsic
def _trailing_zeros(_context: Any, _word: Any) -> Any:
    """Returns the number of zero bits below the lowest one; the word is not 0."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.cttz(arguments[0], ir.IntType(1)(1))


@intrinsic
def _bits_of(_context: Any, _number: Any) -> Any:
    """Returns the bits of a float64."""
    return uint64(float64), lambda _, builder, __, arguments: builder.bitcast(arguments[0], ir.IntType(64))


@njit
def _rounded_bits(digits: Any, exponent: Any, powers: Any) -> Any:
    """Returns the bits of the float64 nearest to digits * 10**exponent, or DOUBTFUL.

    This is the method of Eisel and Lemire ("Number Parsing at a Gigabyte per Second", 2021), without its cases for
    subnormal and infinite numbers. `digits` is not 0. `powers` is the address of `POWERS_OF_FIVE`.
    """
    one = np.uint64(1)
    zeros = _leading_zeros(digits)
    digits <<= zeros
    power_of_five = powers + np.uint64(16) * np.uint64(exponent - LEAST_EXPONENT)
    factor = _word_at(power_of_five)
    high, low = _upper_half(digits, factor), digits * factor
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):
        more = _upper_half(digits, _word_at(power_of_five + np.uint64(8)))
        low += more
        if more > low:
            high += one
    if low == np.uint64(0xFFFFFFFFFFFFFFFF) and not -27 <= exponent <= 55:
        return DOUBTFUL
    upper = high >> np.uint64(63)
    shift = upper + np.uint64(9)
    mantissa = high >> shift
    power = ((217706 * exponent) >> 16) + 63 + np.int64(upper) - np.int64(zeros) + 1023
    if low <= one and -4 <= exponent <= 23 and mantissa & np.uint64(3) == one and mantissa << shift == high:
        mantissa -= one  # exactly between two floats: the even one
    mantissa = (mantissa + (mantissa & one)) >> one
    if mantissa >= np.uint64(1 << 53):
        mantissa = np.uint64(1 << 52)
        power += 1
    if power <= 0 or power >= 0x7FF:
        return DOUBTFUL
    return (mantissa & np.uint64((1 << 52) - 1)) | (np.uint64(power) << np.uint64(52))


@njit
def _number(digits: Any, exponent: Any, sign: Any, powers: Any) -> Any:
    """Returns the bits of digits * 10**exponent with a sign bit, or DOUBTFUL."""
    if digits <= _EXACT_INTEGER and -_EXACT_POWER <= exponent <= _EXACT_POWER:
        value = np.float64(digits)
        if exponent < 0:
            value /= _EXACT_POWERS[np.uint64(-exponent)]
        else:
            value *= _EXACT_POWERS[np.uint64(exponent)]
        return _bits_of(value) | (sign << np.uint64(63))
    if digits == np.uint64(0) or exponent < LEAST_EXPONENT or exponent > MOST_EXPONENT:
        return DOUBTFUL
    return _rounded_bits(digits, exponent, powers) | (sign << np.uint64(63))


@njit
def _any_number(at: Any, end: Any, powers: Any) -> Any:
    """Reads the cell between two addresses as `[+-]digits[.digits][e[+-]digits]`."""
    one, ten, zero, nine = np.uint64(1), np.uint64(10), np.uint64(_ZERO), np.uint64(_NINE)
    first_byte = _byte_at(at) if at < end else np.uint64(0)
    sign = np.uint64(first_byte == np.uint64(_MINUS))
    if sign or first_byte == np.uint64(_PLUS):
        at += one
    exponent: Any = np.int64(0)
    seen: Any = 0
    significant: Any = 0
    digits, has_point = np.uint64(0), False
    while at < end:
        byte = _byte_at(at)
        if zero <= byte <= nine:
            significant += digits > 0 or byte > zero
            digits = digits * ten + (byte - zero)
            seen += 1
            exponent -= has_point
        elif byte == np.uint64(_POINT) and not has_point:
            has_point = True
        else:
            break
        at += one
    if seen == 0 or significant > _MOST_DIGITS:
        return DOUBTFUL
    if at < end and (_byte_at(at) == np.uint64(_SMALL_E) or _byte_at(at) == np.uint64(_LARGE_E)):
        at += one
        is_below = at < end and _byte_at(at) == np.uint64(_MINUS)
        if is_below or (at < end and _byte_at(at) == np.uint64(_PLUS)):
            at += one
        first, power = at, np.uint64(0)
        while at < end and zero <= _byte_at(at) <= nine:
            power = power * ten + (_byte_at(at) - zero)
            at += one
        if at == first or at - first > _EXPONENT_DIGITS:
            return DOUBTFUL
        exponent += -np.int64(power) if is_below else np.int64(power)
    return _number(digits, exponent, sign, powers) if at == end else DOUBTFUL


@njit
def _plain_number(begin: Any, end: Any, powers: Any) -> Any:
    """Reads the cell between two addresses as `[-]digits[.digits]`, eight bytes at a time, from its end.

    The bytes of a word are compared and changed together. Its lower bytes are the earlier characters. The 24 bytes
    before the end of the cell can be read.
    """
    eight = np.uint64(8)
    sign = np.uint64(begin < end and _byte_at(begin) == np.uint64(_MINUS))
    size = end - begin - sign
    if size == 0 or size > np.uint64(_MOST_DIGITS + 1):
        return DOUBTFUL
    exponent: Any = np.int64(0)
    at, left, digits, scale, points = end, size, np.uint64(0), np.uint64(1), np.uint64(0)
    while True:
        at -= eight
        word = _word_at(at) ^ _ZEROS
        if left < eight:
            unused = np.uint64(64) - eight * left
            word = (word >> unused) << unused
        apart = word ^ _POINTS
        found = (apart - _ONES) & ~apart & _HIGH_BITS
        step = np.uint64(100_000_000)
        if found:
            points += np.uint64(1)
            below = _trailing_zeros(found) - np.uint64(7)
            exponent = np.int64(below >> np.uint64(3)) - 7 - np.int64(end - at - eight)
            before = word & ((np.uint64(1) << below) - np.uint64(1))
            word = ((((word >> below) >> eight) << below) << eight) | (before << eight)
            step = np.uint64(10_000_000)
        if ((word + _ABOVE_NINE) | word) & _HIGH_BITS:
            return DOUBTFUL
        word = word * np.uint64(10) + (word >> eight)
        more = (word & _PAIRS) * _WEIGHTS + ((word >> np.uint64(16)) & _PAIRS) * _OTHER_WEIGHTS
        digits += scale * (more >> np.uint64(32))
        if left <= eight:
            break
        left -= eight
        scale *= step
    if points > np.uint64(1) or size == points or size - points > np.uint64(_MOST_DIGITS):
        return DOUBTFUL
    return _number(digits, exponent, sign, powers)


@compiled(int64(table(uint8, 1), *[table(int64, 1)] * 6, table(uint8, 1), table(uint64, 2), uint64[::1]))
def read_cells(
    data: Any,
    rows: Any,
    starts: Any,
    ends: Any,
    firsts: Any,
    delimiters: Any,
    places: Any,
    gaps: Any,
    powers: Any,
    bits: Any,
) -> int:
    """Reads some columns of some rows. Returns the number of cells that are doubtful.

    Args:
        data: The bytes.
        rows: Indexes of the rows, which have all fields.
        starts: Where each row of the data begins.
        ends: Where each row of the data ends.
        firsts: For each row of the data the index of its first delimiter.
        delimiters: Where the delimiters are.
        places: The place of each column in a row, from 0.
        gaps: For each column 1 if an empty cell is missing, otherwise 0.
        powers: `POWERS_OF_FIVE`.
        bits: Gets the bits of the numbers, one column after the other, and DOUBTFUL for other cells.
    """
    count, height, width = 0, rows.shape[0], places.shape[0]
    address, table_address = np.uint64(data.ctypes.data), np.uint64(powers.ctypes.data)
    for index in range(height):
        row = rows[index]
        first, start, stop = firsts[row], starts[row], ends[row]
        for column in range(width):
            at = first + places[column]
            begin = delimiters[at - 1] + 1 if places[column] > 0 else start
            end = min(delimiters[at], stop) if at < delimiters.shape[0] else stop
            if begin == end and gaps[column]:
                bits[column * height + index] = _MISSING
                continue
            cell, cell_end = address + np.uint64(begin), address + np.uint64(end)
            found = _plain_number(cell, cell_end, table_address) if end >= _PLAIN_BYTES else DOUBTFUL
            if found == DOUBTFUL:
                found = _any_number(cell, cell_end, table_address)
                count += found == DOUBTFUL
            bits[column * height + index] = found
    return count
