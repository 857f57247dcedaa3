"""How the simulator's functions are compiled.

Only what is compiled imports this; `machine_code` keeps the result, so that most runs need no compiler at all.
"""

from __future__ import annotations

from typing import Any

from numba import njit  # type: ignore[import-untyped]

_njit: Any = njit
compiled: Any = _njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions of the loop: they are linked into it."""
compiled_and_kept: Any = _njit(nogil=True, error_model="numpy", cache=True)
"""For the loop itself where the compiler's own store on disk has to do."""
