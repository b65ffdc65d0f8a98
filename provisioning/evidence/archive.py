"""A zip that is the same, byte for byte, whenever the same is put into it, with a manifest of its files."""

import csv
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from tempfile import TemporaryFile
from typing import IO, Any

from cakewalk.ledger.chain import moment
from cakewalk.spreadsheets import harmless

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can tell. When a file was put into it says nothing."""
READABLE = 0o644 << 16
UNIX = 3
PIECE = 1024 * 1024

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Part:
    """One file, until it is packed: on disk, under no name, so that nothing stays when a worker is killed."""

    content: IO[bytes]
    size: int
    sha256: str


class Writer:
    """Takes text, counts it and sums it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._sum, self.size = out, hashlib.sha256(), 0

    def write(self, text: str) -> int:
        data = text.encode("utf-8")
        self._out.write(data)
        self._sum.update(data)
        self.size += len(data)
        return len(text)

    def digest(self) -> str:
        return self._sum.hexdigest()


class Table:
    """Rows, written as CSV and as JSON at once."""

    def __init__(self, as_csv: Writer, as_json: Writer, columns: Sequence[str]) -> None:
        self._rows = csv.writer(as_csv)
        self._json, self._columns, self.number = as_json, columns, 0
        self._rows.writerow(columns)
        as_json.write("[")

    def add(self, row: Mapping[str, Any]) -> None:
        values = {name: plain(row.get(name)) for name in self._columns}
        self._rows.writerow([harmless(_cell(value)) for value in values.values()])
        self._json.write(f"{',' if self.number else ''}\n{json.dumps(values, ensure_ascii=False)}")
        self.number += 1

    def end(self) -> None:
        self._json.write("\n]\n")


def plain(value: Any) -> Any:
    """As JSON has it: moments in UTC."""
    match value:
        case datetime():
            return moment(value)
        case date():
            return value.isoformat()
        case tuple() | list():
            return [plain(one) for one in value]
        case dict():
            return {name: plain(value[name]) for name in sorted(value)}
    return value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(_cell(one) for one in value)
        case dict():
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


class Archive:
    """Files by name, in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._parts: dict[str, Part] = {}

    @property
    def number(self) -> int:
        return len(self._parts)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts.values():
            part.content.close()

    @contextmanager
    def file(self, name: str) -> Iterator[Writer]:
        out: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed with the archive
        writer = Writer(out)
        yield writer
        self._parts[name] = Part(out, writer.size, writer.digest())

    def put(self, name: str, text: str) -> None:
        with self.file(name) as out:
            out.write(text)

    def put_json(self, name: str, value: Any) -> None:
        # Databases keep JSON in an order of their own.
        said = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=plain)
        self.put(name, f"{said}\n")

    @contextmanager
    def table(self, name: str, columns: Sequence[str]) -> Iterator[Table]:
        with self.file(f"tables/{name}.csv") as as_csv, self.file(f"tables/{name}.json") as as_json:
            table = Table(as_csv, as_json, columns)
            yield table
            table.end()

    def pack(self, out: IO[bytes], about: Mapping[str, Any]) -> str:
        """Write the zip. Returns the SHA-256 of its manifest, which has that of every other file."""
        told = [
            {"name": name, "bytes": part.size, "sha256": part.sha256}
            for name, part in sorted(self._parts.items())
        ]
        self.put_json(MANIFEST, {**about, "files": told})
        lines = [f"{part.sha256}  {name}\n" for name, part in sorted(self._parts.items())]
        self.put(SUMS, "".join(lines))
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, part in sorted(self._parts.items()):
                self._pack_one(archive, name, part)
        return self._parts[MANIFEST].sha256

    def _pack_one(self, archive: zipfile.ZipFile, name: str, part: Part) -> None:
        info = zipfile.ZipInfo(f"{self._folder}/{name}", EARLIEST)
        info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, READABLE, UNIX
        info.file_size = part.size
        part.content.seek(0)
        with archive.open(info, "w") as into:
            while piece := part.content.read(PIECE):
                into.write(piece)
