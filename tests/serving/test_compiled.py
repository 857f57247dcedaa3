"""What was compiled before holds for the sources that it was compiled from, and for no others."""

from __future__ import annotations

from pathlib import Path

from costline.serving.compiled import fingerprint
from costline.serving.loop import event_loop


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
    names = {path.name for path in [*event_loop.ROOMS, *event_loop.BESIDE]}
    assert {"steps.py", "admission.py", "state.py", "scheduler.py", "timestamps.py", "compiled.py"} <= names
    assert all(path.exists() for path in event_loop.BESIDE)
