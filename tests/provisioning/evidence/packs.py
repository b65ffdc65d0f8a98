"""A pack as its reader has it: unpacked, and checked as its README says."""

import csv
import hashlib
import io
import json
import re
import zipfile
from typing import Any

from provisioning.evidence.building import Built, build
from provisioning.evidence.ordering import Order


class Pack:
    def __init__(self, content: bytes) -> None:
        self.content = content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.names = archive.namelist()
            self.files = {name.partition("/")[2]: archive.read(name) for name in self.names}
            self.times = {info.date_time for info in archive.infolist()}

    def text(self, name: str) -> str:
        return self.files[name].decode()

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def table(self, name: str) -> list[dict[str, Any]]:
        """As JSON has it, which CSV must have too."""
        rows: list[dict[str, Any]] = self.json(f"tables/{name}.json")
        written = list(csv.DictReader(io.StringIO(self.text(f"tables/{name}.csv"), newline="")))
        assert len(written) == len(rows)
        return rows

    def sums(self) -> dict[str, str]:
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}


def made(asked: Order) -> tuple[Pack, Built]:
    out = io.BytesIO()
    built = build(asked, out)
    return Pack(out.getvalue()), built


def programs(pack: Pack) -> list[str]:
    """What the README gives its reader to run."""
    return re.findall(r"```python\n(.*?)```", pack.text("README.md"), re.DOTALL)
