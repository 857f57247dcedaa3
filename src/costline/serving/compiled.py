"""How the simulator's functions are compiled, and when what was compiled before still holds.

Numba keeps the machine code of the event loop on disk and looks only at the file of the function that is called;
the fingerprint of all files of the loop is therefore a constant of that function.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from numba import njit  # type: ignore[import-untyped]

compiled: Any = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions of the loop: they are linked into it."""
compiled_loop: Any = njit(nogil=True, error_model="numpy", cache=True)
"""For the loop itself."""


def fingerprint(folder: Path, names: tuple[str, ...]) -> int:
    """A number that changes with the source of any of the modules."""
    checksum = 0
    for name in names:
        checksum = zlib.crc32((folder / f"{name}.py").read_bytes(), checksum)
    return checksum
