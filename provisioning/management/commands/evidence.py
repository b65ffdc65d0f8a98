"""Make an evidence pack of a period: one zip for an auditor."""

import os
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.utils import timezone

from cakewalk.bar import Bar
from cakewalk.commands import BaseCommand
from provisioning.evidence import making
from provisioning.evidence.building import Built, folder_of
from provisioning.evidence.ordering import SAMPLE, BadOrder, Order, order
from provisioning.management.foreground import integration_named, print_json, wrong_usage


class Command(BaseCommand):
    help = (
        "Make a zip of all that the record tells of an integration in a period. The same period, seed and "
        "sample make the same file. Exits 2, with nothing made, when the period or the file cannot be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument(
            "--since", type=date.fromisoformat, required=True, metavar="DATE", help="as 2026-01-01"
        )
        parser.add_argument(
            "--until", type=date.fromisoformat, required=True, metavar="DATE", help="that day included"
        )
        parser.add_argument(
            "--sample", type=int, default=SAMPLE, metavar="N", help=f"items; {SAMPLE} by default"
        )
        parser.add_argument("--seed", default="", metavar="S", help="by default the ledger's hash at the end")
        parser.add_argument(
            "--through",
            type=int,
            metavar="ENTRY",
            help="the ledger's last entry that counts, of a period not over",
        )
        parser.add_argument("--out", type=Path, metavar="FILE.zip", help="named for the period by default")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = self._asked(options)
        path: Path = options["out"] or Path(f"{folder_of(asked)}.zip")
        if not path.parent.is_dir():
            raise wrong_usage(f"There is no folder {path.parent}.")
        if path.is_dir():
            raise wrong_usage(f"{path} is a folder. Name a file.")
        pack, built = self._made(asked, path)
        document = {
            "file": str(path),
            "bytes": pack.size,
            "files": built.files,
            "manifest_sha256": built.digest,
            **built.said,
        }
        if options["json"]:
            print_json(document, self.stdout)
            return
        about, timing = built.said["pack"], built.said["removal_after_departure"]
        self.stdout.write(f"{path}: {built.files} files, {pack.size:,} bytes.")
        self.stdout.write(f"  seed      {about['seed']}")
        self.stdout.write(f"  state     entry {about['state_of_the_record']['entry']} of the ledger")
        self.stdout.write(f"  manifest  {built.digest}")
        self.stdout.write(f"  {built.said['population']['items']} items, {timing['breaches']} breaches")

    def _asked(self, options: dict[str, Any]) -> Order:
        try:
            return order(
                integration_named(options["name"]),
                options["since"],
                options["until"],
                sample=options["sample"],
                seed=options["seed"],
                through=options["through"],
                now=timezone.now(),
            )
        except BadOrder as problem:
            raise wrong_usage(f"{problem} Nothing was made.") from problem

    def _made(self, asked: Order, path: Path) -> tuple[Any, Built]:
        """Beside its place first, so that there is never half a file."""
        with Bar(self.stderr) as bar, self._beside(path) as out:
            try:
                made = making.make_here(
                    asked, out, tell=lambda doing, share: bar.step(doing, round(share * 100), 100, line="")
                )
                out.flush()
                os.chmod(out.name, 0o644)
                os.replace(out.name, path)
            except BaseException:
                Path(out.name).unlink(missing_ok=True)
                raise
        return made

    def _beside(self, path: Path) -> Any:
        try:
            return NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
        except OSError as error:
            raise wrong_usage(
                f"{path.parent} cannot be written to: {error.strerror}. Nothing was made."
            ) from error
