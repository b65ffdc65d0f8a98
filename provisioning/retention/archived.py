"""The ledger's entries out of files that pruning has written, in the order of their numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cakewalk.ledger.chain import FIELDS, Break, Fault, Link, Row
from cakewalk.ledger.models import Entry, Head
from cakewalk.ledger.pruned import Archived, file_of, files_told
from provisioning.retention import archive

LATER = ", here or in a later file that was named with it."

TABLE = Entry._meta.label_lower


@dataclass(slots=True)
class Files:
    """`told`: the SHA-256 of each file that an entry names, which those read here may add to."""

    paths: Sequence[Path]
    heads: Sequence[dict[str, Any]]
    told: set[str] = field(default_factory=files_told)
    torn: list[Break] = field(default_factory=list)

    @property
    def archived(self) -> Archived:
        return Archived(_after(self.heads[0]), self.rows)

    def rows(self) -> Iterator[Row]:
        for path in self.paths:
            try:
                for table, row in archive.rows_of(path):
                    if table == TABLE:
                        entry = _as_row(row)
                        self.told.add(file_of(entry))
                        yield entry
            except archive.BadArchive as error:
                self.torn.append(Break(0, Fault.PRUNED, str(error)))

    def breaks(self) -> Iterator[Break]:
        """After all was read: files that are not what an entry tells of."""
        yield from self.torn
        head = Head.objects.first() or Head()
        for path, said in zip(self.paths, self.heads, strict=True):
            if said.get("installation") != str(head.installation):
                yield Break(0, Fault.PRUNED, f"{path.name} is of another installation.")
            elif archive.sha256_of(path) not in self.told:
                yield Break(0, Fault.PRUNED, f"{path.name} has a SHA-256 that no entry tells of{LATER}")


def files(paths: Sequence[Path]) -> Files:
    """In the order of what they hold. Raises BadArchive or OSError."""
    heads = {path: archive.head_of(path) for path in paths}
    ordered = sorted(paths, key=lambda path: (_after(heads[path]).seq, heads[path]["number"]))
    return Files(ordered, [heads[path] for path in ordered])


def _after(head: dict[str, Any]) -> Link:
    return Link(head["after"]["seq"], head["after"]["hash"])


def _as_row(row: dict[str, Any]) -> Row:
    return Row(row["seq"], [row.get(name) for name in FIELDS], row["previous"], row["hash"])
