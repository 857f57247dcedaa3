"""What was compiled before holds for the sources that it was compiled from, and for no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from costline.serving import machine_code
from costline.serving.fleet import Engine, replicas
from costline.serving.loop.world import point, world_of
from costline.serving.machine_code import SOURCES, event_loop, fingerprint, keep, kept
from costline.serving.requests import Requests
from costline.serving.simulate import simulate
from costline.serving.step_table import affine_table


def test_a_fingerprint_changes_with_any_file(tmp_path: Path):
    paths = [tmp_path / name for name in ("a.py", "b.py")]
    seen: set[int] = set()
    for texts in (("x", "y"), ("x", "z"), ("w", "y")):
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        seen.add(fingerprint(paths))
        assert fingerprint(paths) in seen
    assert len(seen) == 3


def test_the_loop_watches_its_rooms():
    names = {path.name for path in SOURCES}
    assert {"steps.py", "admission.py", "state.py", "scheduler.py", "timestamps.py", "compiled.py"} <= names
    assert all(path.exists() for path in SOURCES)


def test_every_file_that_the_loop_is_made_of_is_watched():
    """Files of the package that its rooms read at import, but those that hold numbers for rows only."""
    code = (
        "import sys; before = set(sys.modules); import costline.serving.loop.event_loop;"
        "print(*(sys.modules[name].__file__ for name in set(sys.modules) - before if name.startswith('costline')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(name) for name in done.stdout.split()}
    watched = {path.resolve() for path in SOURCES}
    unwatched = {path.name for path in loaded if path.resolve() not in watched and path.name != "__init__.py"}
    assert unwatched <= {"quantities.py", "errors.py", "version.py"}


def test_what_is_kept_is_read_again_and_what_is_broken_is_not(tmp_path: Path):
    path = tmp_path / "new" / "loop.o"
    assert kept(path) is None
    assert keep(path, "a_name", b"\x00code\nof two lines")
    assert kept(path) == ("a_name", b"\x00code\nof two lines")
    assert [one.name for one in path.parent.iterdir()] == ["loop.o"]
    path.write_bytes(path.read_bytes()[:-1])
    assert kept(path) is None
    path.write_bytes(b"no head")
    assert kept(path) is None


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    assert not keep(tmp_path / "file" / "loop.o", "a_name", b"code")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the compiler keeps the code")
def test_a_kept_loop_needs_no_compiler():
    requests = Requests(np.arange(5.0), np.full(5, 100), np.full(5, 10))
    fleet = replicas(affine_table(step_s=0.01, token_s=1e-5), Engine(), 1)
    assert simulate(requests, fleet).served.all()  # compiled and kept by now
    code = (
        "import sys; from costline.serving.machine_code import event_loop; event_loop();"
        "sys.exit(bool({'numba', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_loop_that_stops_says_so(monkeypatch: pytest.MonkeyPatch):
    requests = Requests(np.arange(5.0), np.full(5, 100), np.full(5, 10))
    world = world_of(requests, replicas(affine_table(step_s=0.01), Engine(), 1), None)
    point(world)
    world.run["next_s_count"] = 0  # no replica: the soonest of none is an error
    with pytest.raises((RuntimeError, ValueError)):
        event_loop()(world.run.ctypes.data, 0)


def test_folders_end_with_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine_code.folders()[-1] == tmp_path / "costline"
