"""Write requirements.lock: the newest versions that resolve together on the lowest supported Python.

    python3.11 tools/lock.py

Every extra is resolved together with the core, so one file serves as constraints for all of them. The file
holds names and versions only; where packages come from is each machine's own setting.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Pinned versions that resolve together on Python 3.11 and later. Used as constraints:
#     pip install -c requirements.lock -e '.[dev]'
# Written by tools/lock.py; a package stands in the first group that needs it.
"""


def resolve(requirements: list[str], constraints: Path | None = None) -> dict[str, str]:
    """What pip would install into an empty environment: name → version."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--report", "-", *requirements] + (["-c", str(constraints)] if constraints else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = [item["metadata"] for item in json.loads(done.stdout)["install"]]
    return {re.sub(r"[-_.]+", "-", item["name"]).lower(): item["version"] for item in found}


def groups() -> dict[str, list[str]]:
    """Requirements of the core and of each extra; our own extras stand as what they contain."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    own = {f"{project['name']}[{extra}]": requirements for extra, requirements in extras.items()}
    wanted = {"core": project["dependencies"]}
    for extra, requirements in extras.items():
        wanted[extra] = [inner for item in requirements for inner in own.get(item, [item])]
    return wanted


def main() -> None:
    """Resolve everything at once, then find for each group which of these packages it adds."""
    wanted = groups()
    everything = resolve([item for items in wanted.values() for item in items])
    LOCK.write_text("".join(f"{name}=={version}\n" for name, version in everything.items()), encoding="utf-8")
    seen: set[str] = set()
    text = HEADER
    for group, requirements in wanted.items():
        needed = resolve([*wanted["core"], *requirements], LOCK)
        lines = [f"{name}=={version}" for name, version in sorted(needed.items()) if name not in seen]
        seen |= needed.keys()
        text += "\n".join(["", f"# {group}", *lines, ""])
    LOCK.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
