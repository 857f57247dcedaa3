"""How the simulator's functions are compiled, and when what was compiled before still holds.

Numba keeps the machine code of the event loop on disk and looks only at the file of the function that is called;
the fingerprint of all files of the loop is therefore a constant of that function.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numba import njit  # type: ignore[import-untyped]

_njit: Any = njit
compiled: Any = _njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions of the loop: they are linked into it."""
compiled_loop: Any = _njit(nogil=True, error_model="numpy", cache=True)
"""For the loop itself."""


def fingerprint(paths: Iterable[Path]) -> int:
    """A number that changes with the text of any of the files."""
    checksum = 0
    for path in paths:
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
