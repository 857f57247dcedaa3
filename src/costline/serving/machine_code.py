"""The event loop as machine code: kept on disk and linked again, so that a run need not load the compiler.

What is kept holds for the text of the loop's files, the versions of the compiler and this processor; anything else is
compiled anew. Knows how compiled functions are called; not what the loop does.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

Loop = Callable[[int, int], int]
"""Address of the run's row and requests in flight of a closed loop in; 0 out."""

_HERE = Path(__file__).parent
SOURCES = [
    *sorted((_HERE / "loop").glob("*.py")),
    *(_HERE / name for name in ("compiled.py", "machine_code.py", "scheduler.py", "timestamps.py")),
]
"""Files whose text the machine code depends on."""
_KEEPS = sys.platform.startswith("linux")
"""Elsewhere the compiler keeps the code itself, and is loaded for it."""
_OUTSIDE = frozenset({"sqrt", "log", "log2", "exp", "pow", "ceil", "floor", "memset", "memcpy", "memmove"})
"""Functions that every process has: code that needs another cannot be linked without the compiler."""
_FREES_NOTHING = "define void @NRT_MemInfo_call_dtor(ptr %block) { ret void }"
"""Stands where the compiler's runtime would free an array: the loop only looks at arrays that others own."""


def fingerprint(paths: Iterable[Path]) -> int:
    """A number that changes with the text of any of the files."""
    checksum = 0
    for path in paths:
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum


@lru_cache(maxsize=1)
def event_loop() -> Loop:
    """The loop, ready to be called: linked from disk, or compiled and kept."""
    mark = fingerprint(SOURCES)
    if not _KEEPS:
        return _compiled_and_kept(mark)
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    processor = f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    known = f"{mark} {version('numba')} {version('llvmlite')} {sys.version} {processor}"
    name = f"event_loop.{zlib.crc32(known.encode()):08x}.o"
    for folder in folders():
        held = kept(folder / name)
        if held is not None:
            return linked(*held)
    made = machine_code(llvm, mark)
    if made is None:
        return _compiled_and_kept(mark)
    for folder in folders():
        if keep(folder / name, *made):
            break
    return linked(*made)


def folders() -> list[Path]:
    """Where machine code may lie: beside the files, or where users keep what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [_HERE / "__pycache__", Path(home) / "costline"]


def kept(path: Path) -> tuple[str, bytes] | None:
    """Name and code of what was kept there, if it is whole."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        checksum, symbol = head.decode().split(" ", 1)
        return (symbol, code) if int(checksum) == zlib.crc32(code) else None
    except (OSError, ValueError):
        return None


def keep(path: Path, symbol: str, code: bytes) -> bool:
    """Writes it in one go, so that no reader sees a half; whether that worked."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(f"{zlib.crc32(code)} {symbol}\n".encode() + code)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
        return True
    return False


def machine_code(llvm: Any, mark: int) -> tuple[str, bytes] | None:
    """Name and object code of the loop; None where it needs functions of the compiler."""
    from numba import int64  # type: ignore[import-untyped]

    from costline.serving.compiled import compiled
    from costline.serving.loop.event_loop import loop_of

    made: Any = compiled(loop_of(mark))
    made.compile((int64, int64))
    (found,) = made.overloads.values()
    module = llvm.parse_assembly(found.library.get_llvm_str())
    try:
        module.link_in(llvm.parse_assembly(_FREES_NOTHING))
    except RuntimeError:  # an older language of the compiler
        return None
    outside = {one.name for one in module.functions if one.is_declaration and not one.name.startswith("llvm.")}
    if not outside <= _OUTSIDE:
        return None
    return found.fndesc.llvm_func_name, _machine(llvm).emit_object(module)


def linked(symbol: str, code: bytes) -> Loop:
    """The function of that name, as Python calls it: without the interpreter's lock."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    engine: Any = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    pointer = ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, ctypes.c_int64, ctypes.c_int64)
    function = kind(engine.get_function_address(symbol))

    def loop(run_at: int, concurrency: int) -> int:
        result, failure = ctypes.c_int64(), ctypes.c_void_p()
        status = function(ctypes.byref(result), ctypes.byref(failure), run_at, concurrency)
        if status != 0 or not engine:  # the engine owns the code, so it must live as long as this function
            raise RuntimeError(f"the event loop stopped with status {status}")
        return int(result.value)

    return loop


def _machine(llvm: Any) -> Any:
    with suppress(RuntimeError):  # newer versions need no call and say so
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, codemodel="jitdefault", jit=True
    )


def _compiled_and_kept(mark: int) -> Loop:
    from costline.serving.compiled import compiled_and_kept
    from costline.serving.loop.event_loop import loop_of

    return compiled_and_kept(loop_of(mark))
