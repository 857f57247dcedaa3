"""Units: the only powers of ten, 1024s and 3600s in the project; parsing and formatting of quantities.

Knows how to turn a number with a unit into SI and back. Knows nothing of models, chips or money.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from costline.errors import InputError

Array = NDArray[np.float64]
Numeric = float | Array
"""What an equation takes: a number or an array of numbers."""

KILO = 1e3
MEGA = 1e6
GIGA = 1e9
TERA = 1e12
PETA = 1e15
MILLI = 1e-3
MICRO = 1e-6
NANO = 1e-9
KIB = 1024
MIB = 1024**2
GIB = 1024**3
TIB = 1024**4
BITS_PER_BYTE = 8
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
HOURS_PER_YEAR = 8_760
HOURS_PER_MONTH = 730
JOULE_PER_KWH = KILO * HOUR_S
PERCENT = 100

_SIZE_UNITS = {
    "": 1, "b": 1, "kb": KILO, "mb": MEGA, "gb": GIGA, "tb": TERA,
    "kib": KIB, "mib": MIB, "gib": GIB, "tib": TIB,
}  # fmt: skip
_NUMBER = re.compile(r"^\s*([-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)\s*$")


def as_array(value: object) -> Array:
    """`value` as a float64 array (0-d for a scalar)."""
    return np.asarray(value, dtype=np.float64)


def _split(text: str, what: str) -> tuple[float, str]:
    match = _NUMBER.match(text)
    if match is None:
        raise InputError(f"{what}={text!r} is not a number with an optional unit; write for example 80GiB or 8192")
    return float(match.group(1).replace(",", "").replace("_", "")), match.group(2).lower()


def parse_bytes(text: str, what: str = "size") -> float:
    """Bytes from text such as ``80GB`` (decimal) or ``80GiB`` (binary).

    >>> parse_bytes("160 KiB"), parse_bytes("160kB")
    (163840.0, 160000.0)
    """
    value, unit = _split(text, what)
    if unit not in _SIZE_UNITS:
        raise InputError(f"{what}={text!r} has unknown unit {unit!r}; use B, kB, MB, GB, TB, KiB, MiB, GiB or TiB")
    return value * _SIZE_UNITS[unit]


def significant(value: float | None, digits: int = 3) -> str:
    """A number in plain notation with the given significant digits.

    >>> significant(0.0173219), significant(163840), significant(2.0), significant(0.0)
    ('0.0173', '163,840', '2', '0')
    """
    if value is None or not math.isfinite(value):
        return "–" if value is None or math.isnan(value) else ("∞" if value > 0 else "-∞")
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_seconds(value: float) -> str:
    """Seconds in the unit that reads best.

    >>> format_seconds(0.0173), format_seconds(4.2e-6), format_seconds(2.5)
    ('17.3 ms', '4.2 µs', '2.5 s')
    """
    if not math.isfinite(value) or value == 0:
        return f"{significant(value)} s"
    if abs(value) < MILLI:
        return f"{significant(value / MICRO)} µs"
    if abs(value) < 1:
        return f"{significant(value / MILLI)} ms"
    return f"{significant(value)} s"


def format_bytes(value: float) -> str:
    """Bytes in decimal units.

    >>> format_bytes(70_553_706_496), format_bytes(163840)
    ('70.6 GB', '164 kB')
    """
    for factor, unit in ((TERA, "TB"), (GIGA, "GB"), (MEGA, "MB"), (KILO, "kB")):
        if abs(value) >= factor:
            return f"{significant(value / factor)} {unit}"
    return f"{significant(value)} B"


def format_count(value: float) -> str:
    """A count with the field's suffix.

    >>> format_count(70_553_706_496), format_count(8192)
    ('70.6 B', '8,192')
    """
    for factor, unit in ((TERA, "T"), (GIGA, "B"), (MEGA, "M")):
        if abs(value) >= factor:
            return f"{significant(value / factor)} {unit}"
    return f"{value:,.0f}"
