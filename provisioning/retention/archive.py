"""The file that old rows go into: lines of JSON, packed. Written to its end and to the disk, or not there.

The first line says what the file is, the last one how many rows it holds of each table; each line between is
`{"table": …, "row": {column: value}}`.
"""

import gzip
import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID

from cakewalk.ledger import chain

FORMAT = 1
SUFFIX = ".jsonl.gz"
LEVEL = 6


class BadArchive(Exception):
    """What is there is no archive, or not all of it. Names the file and the line."""


class Writer:
    """Within `with`; its file is there under its own name after close() alone."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path, self._part = path, unfinished(path)
        self._raw = self._part.open("wb")
        self._packed = gzip.GzipFile("", "wb", LEVEL, self._raw, mtime=0)
        self._counted: Counter[str] = Counter()
        self._write({"archive": FORMAT, **head})

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was not closed is no archive."""
        if not self._raw.closed:
            self._raw.close()
            with suppress(OSError):
                self._part.unlink()

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        self._counted[table] += 1
        self._write({"table": table, "row": row})

    @property
    def counted(self) -> dict[str, int]:
        return dict(self._counted)

    def close(self) -> str:
        """Bring it to the disk, and then under its name. Answers with its SHA-256."""
        self._write({"end": self.counted})
        self._packed.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        self._part.replace(self.path)
        _sync_folder(self.path.parent)
        return sha256_of(self.path)

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=_plain)
        self._packed.write(text.encode() + b"\n")


def unfinished(path: Path) -> Path:
    """Under which name it is while it is written."""
    return path.with_name(f"{path.name}.part")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def head_of(path: Path) -> dict[str, Any]:
    """Raises BadArchive."""
    first = next(_lines(path), {})
    if first.get("archive") != FORMAT:
        raise BadArchive(f"{path}: this is no archive of Cakewalk.")
    return first


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables and rows, in their order. Raises BadArchive, in the end too, if not all of them were there."""
    head_of(path)
    lines, counted, end = _lines(path), Counter[str](), None
    next(lines)
    for line in lines:
        if end is not None:
            raise BadArchive(f"{path}: it goes on after its end.")
        end = line.get("end")
        if end is None:
            counted[line["table"]] += 1
            yield line["table"], line["row"]
    if end != dict(counted):
        raise BadArchive(f"{path}: it ends too early.")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    read = 0
    try:
        with gzip.open(path, "rb") as packed:
            for line in packed:
                yield json.loads(line)
                read += 1
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise BadArchive(f"{path}, after line {read}: {error}") from error


def _sync_folder(folder: Path) -> None:
    """So that the name outlives a power cut as well."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return chain.moment(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
    raise TypeError(f"An archive takes no {type(value).__name__}.")
