"""The record at the terminal: verify the ledger, export it, sign where it stands, make a key to sign with;
and let go what is old.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from cakewalk.bar import Bar
from cakewalk.commands import BaseCommand
from cakewalk.ledger import checkpoints, exporting
from cakewalk.ledger.models import Entry, Head, Verification
from cakewalk.ledger.recording import record
from cakewalk.ledger.restored import restores
from cakewalk.ledger.verbs import Verb
from directory.time_zones import midnight
from provisioning import proving
from provisioning.management.foreground import print_json, wrong_usage
from provisioning.retention import archive, pruning, scheduled
from provisioning.retention.kinds import KINDS
from provisioning.retention.models import PruningLost

BROKEN = 4
EXPORTED = tuple(key for key, kind in KINDS.items() if kind.is_exported)


class Command(BaseCommand):
    help = "Verify or export the ledger, sign where it stands, or make a key to sign with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True, metavar="DEED")
        self._verify_arguments(deeds.add_parser("verify", help="read all of it, and say where it is broken"))
        self._export_arguments(deeds.add_parser("export", help="print it, with its hashes"))
        self._checkpoint_arguments(deeds.add_parser("checkpoint", help="sign where it stands"))
        self._prune_arguments(deeds.add_parser("prune", help="write what is old into a file, and delete it"))
        key = deeds.add_parser("key", help="make a private key and its public key")
        key.add_argument("--json", action="store_true", help="print one JSON document")

    def _verify_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--checkpoint", action="append", type=Path, default=[], metavar="FILE", help="compare it too"
        )
        parser.add_argument("--public-key", action="append", default=[], metavar="KEY", help="believe it too")
        parser.add_argument(
            "--export",
            action="append",
            type=Path,
            default=[],
            metavar="FILE",
            help="what `history prune` has written: read it with the rest",
        )
        parser.add_argument(
            "--chain-only", action="store_true", help="without comparing jobs and their actions with it"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def _export_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=exporting.FORMATS, required=True, help="of the output")
        parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="as 2026-01-31")
        parser.add_argument("--until", type=date.fromisoformat, metavar="DATE", help="that day included")

    def _checkpoint_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--key-file", type=Path, metavar="FILE", help="in place of LEDGER_KEY")
        parser.add_argument("--out", type=Path, metavar="FILE", help="in place of standard output")

    def _prune_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--before", type=date.fromisoformat, metavar="DATE", help="as 2026-01-31")
        which.add_argument("--by-retention", action="store_true", help="as long ago as retention says")
        parser.add_argument("--kind", action="append", choices=EXPORTED, default=[], help="this kind alone")
        parser.add_argument(
            "--export", type=Path, metavar="FILE", help="in place of a new one in RETENTION_FOLDER"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and let nothing go")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        deed = {
            "verify": self._verify,
            "export": self._export,
            "checkpoint": self._checkpoint,
            "key": self._key,
            "prune": self._prune,
        }[options["deed"]]
        deed(options)

    def _verify(self, options: dict[str, Any]) -> None:
        for path in (*options["checkpoint"], *options["export"]):
            if not path.exists():
                raise wrong_usage(f"There is no file {path}.")
        try:
            with Bar(self.stderr) as bar:
                found = proving.verify(
                    more_checkpoints=options["checkpoint"],
                    more_keys=options["public_key"],
                    archives=options["export"],
                    chain_only=options["chain_only"],
                    say=lambda doing, done, total: bar.step(doing, done, total, line=""),
                )
        except archive.BadArchive as error:
            raise wrong_usage(str(error)) from error
        if options["json"]:
            print_json(_document(found), self.stdout)
        else:
            self._tell(found)
        if found.breaks:
            sys.exit(BROKEN)

    def _tell(self, found: Verification) -> None:
        for one in found.breaks:
            self.stdout.write(f"{one['fault']}: {one['detail']}")
        verdict = "is broken" if found.breaks else "is what was written"
        self.stdout.write(
            f"The ledger {verdict}: {found.entries} entries up to {found.seq} in {found.seconds:.1f} s."
        )
        self.stdout.write(f"It ends with {found.hash}.")
        for restore in restores():
            self.stdout.write(restore.sentence)
        if found.records:
            self.stdout.write(f"{found.records} actions were compared with it.")
        if not found.checkpoints:
            self.stdout.write("No checkpoint was compared, so that lost newest entries would not show.")
        else:
            self.stdout.write(f"{found.checkpoints} checkpoints were compared.")

    def _export(self, options: dict[str, Any]) -> None:
        asked = {name: options[name] for name in ("format", "since", "until")}
        record(Verb.EXPORT_BEGUN, name="ledger", facts=asked)
        entries = Entry.objects.order_by("seq")
        if since := options["since"]:
            entries = entries.filter(at__gte=midnight(since))
        if until := options["until"]:
            entries = entries.filter(at__lt=midnight(date.fromordinal(until.toordinal() + 1)))
        for text in exporting.FORMATS[options["format"]](entries):
            self.stdout.write(text, ending="")

    def _prune(self, options: dict[str, Any]) -> None:
        now, day = timezone.now(), options["before"]
        try:
            cutoffs = (
                pruning.before(midnight(day), options["kind"], now=now)
                if day
                else pruning.by_retention(options["kind"], now=now)
            )
            if options["dry_run"]:
                self._tell_forecast(pruning.forecast(cutoffs), as_json=options["json"])
                return
            path = options["export"] or scheduled.new_file(_folder(), now=now)
            result = pruning.prune(cutoffs, path, say=self.stderr.write)
        except pruning.Refused as refusal:
            raise wrong_usage(str(refusal)) from refusal
        except (archive.BadArchive, OSError, PruningLost) as error:
            raise CommandError(
                str(error) or "Another process has gone on with it.", returncode=BROKEN
            ) from error
        self._tell_pruned(result, as_json=options["json"])

    def _tell_forecast(self, forecast: Mapping[str, int], *, as_json: bool) -> None:
        if as_json:
            print_json({"dry_run": True, "would_go": forecast}, self.stdout)
            return
        for key, number in forecast.items():
            self.stdout.write(f"{key}: {number} would go.")

    def _tell_pruned(self, result: pruning.Result, *, as_json: bool) -> None:
        if as_json:
            told = {"dry_run": False, "file": result.path or None, "sha256": result.sha256 or None}
            print_json({**told, "went": result.contents}, self.stdout)
            return
        if not result.path:
            self.stdout.write("There is nothing that is old enough to go.")
        for key, facts in result.contents.items():
            self.stdout.write(f"{key}: {facts['number']} went.")
        if result.path:
            self.stdout.write(f"They are in {result.path}, with the SHA-256 {result.sha256}.")

    def _checkpoint(self, options: dict[str, Any]) -> None:
        head = Head.objects.first()
        if head is None or not head.seq:
            raise wrong_usage("There is no entry in the ledger yet.")
        text = proving.state(_private_key(options["key_file"]), head, timezone.now()).as_text()
        if options["out"]:
            options["out"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")

    def _key(self, options: dict[str, Any]) -> None:
        private = checkpoints.new_key()
        public = checkpoints.public_key(private)
        if options["json"]:
            print_json({"private_key": private, "public_key": public}, self.stdout)
            return
        self.stdout.write(f"Private key, for LEDGER_KEY or a file kept elsewhere: {private}")
        self.stdout.write(f"Public key, by which its checkpoints are believed: {public}")


def _folder() -> Path:
    folder: Path | None = settings.RETENTION_FOLDER
    if folder is None:
        raise wrong_usage("Name a file with --export, or set RETENTION_FOLDER: nothing goes without.")
    return folder


def _private_key(path: Path | None) -> str:
    if path is None and not settings.LEDGER_KEY:
        raise wrong_usage("There is no key to sign with: set LEDGER_KEY, or name one with --key-file.")
    if path is None:
        return str(settings.LEDGER_KEY)
    try:
        key = path.read_text(encoding="utf-8").strip()
        checkpoints.public_key(key)
    except OSError as error:
        raise wrong_usage(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise wrong_usage(f"{path} holds no private key of `history key`.") from error
    return key


def _document(found: Verification) -> dict[str, Any]:
    return {
        "intact": found.is_intact,
        "entries": found.entries,
        "seq": found.seq,
        "hash": found.hash,
        "checkpoints": found.checkpoints,
        "records": found.records,
        "restores": [restore.as_json() for restore in restores()],
        "breaks": found.breaks,
        "seconds": round(found.seconds, 3),
    }
