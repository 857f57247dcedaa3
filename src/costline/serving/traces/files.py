"""Opens a trace, gzipped or not, and hands out its bytes in pieces that end with a line. Knows no format."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from costline.errors import InputError
from costline.quantities import GIB, MIB

PIECE_BYTES = 8 * MIB
BEGINNING_BYTES = MIB
LONGEST_LINE_BYTES = 64 * MIB
MOST_DOCUMENT_BYTES = GIB
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@contextmanager
def readable(path: Path) -> Generator[BinaryIO]:
    """The file's bytes, unzipped; what goes wrong with them is one line that names the file and the remedy."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"trace {path} is not a regular file; write it to a file first")
        with path.open("rb") as file:
            zipped = file.read(2) == _GZIP
            file.seek(0)
            if not zipped:
                yield file
                return
            with gzip.open(file) as unzipped:
                yield cast(BinaryIO, unzipped)
    except FileNotFoundError:
        said = "does not exist; check the path, which starts at the scenario's folder"
        raise InputError(f"trace {path} {said}") from None
    except IsADirectoryError:
        raise InputError(f"trace {path} is a directory; give a file") from None
    except EOFError:
        raise InputError(f"trace {path} is cut off: its gzip data have no end; copy the file again") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"trace {path} is no sound gzip file ({error}); copy the file again") from None
    except UnicodeDecodeError:
        raise InputError(f"trace {path} is not UTF-8 text; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"trace {path} cannot be read ({reason}); check the path and the file") from None


def pieces(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The file in pieces of whole lines, without a byte-order mark; the last may lack its newline."""
    rest = b""
    first = True
    while read := file.read(PIECE_BYTES):
        rest = (rest + read).removeprefix(_BOM) if first else rest + read
        first = False
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > LONGEST_LINE_BYTES:
            said = f"has a line of more than {LONGEST_LINE_BYTES:,} bytes; give one line a request"
            raise InputError(f"trace {path} {said}")
    if rest:
        yield rest


def whole(file: BinaryIO, path: Path) -> bytes:
    """All bytes of a file that is one document."""
    text = file.read(MOST_DOCUMENT_BYTES + 1)
    if len(text) > MOST_DOCUMENT_BYTES:
        raise InputError(f"trace {path} is one document of more than {MOST_DOCUMENT_BYTES:,} bytes; split it")
    return text.removeprefix(_BOM)


def beginning(file: BinaryIO) -> bytes:
    """The first bytes, to tell the format by."""
    start = file.read(BEGINNING_BYTES).removeprefix(_BOM)
    file.seek(0)
    return start
