"""Encrypt every stored secret with the newest key, and say which keys are needed no more."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from cakewalk.bar import Bar
from cakewalk.commands import BaseCommand
from cakewalk.rekeying import Survey, Tally, rekey, survey
from cakewalk.sealed import Column

REMAINS = 6


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the newest of FERNET_KEYS, while web server and workers run. Put "
        "the new key in front of the others and restart every process first. Run it again to go on after an "
        "interruption. Prints fingerprints of keys, never keys. Exits 6 while anything is left on an older "
        "key, or is opened by no key at all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run",
            "--check",
            action="store_true",
            help="only say what is encrypted with which key, and what no key opens",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        with Bar(self.stderr) as bar:

            def step(column: Column, done: int) -> None:
                bar.step(str(column), done, None, line="")

            found = survey(step) if options["dry_run"] else rekey(step)
        if options["json"]:
            self.stdout.write(json.dumps(_document(found), indent=2))
        else:
            for line in _lines(found):
                self.stdout.write(line)
        if not found.is_done:
            sys.exit(REMAINS)


def _document(found: Survey) -> dict[str, Any]:
    return {
        "keys": [{"fingerprint": key, "opens": found.on(place)} for place, key in enumerate(found.keys)],
        "columns": [
            {
                "column": str(tally.column),
                "on_newest": tally.on[0],
                "on_older": dict(zip(found.keys[1:], tally.on[1:], strict=True)),
                "unreadable": tally.unreadable,
                "unreadable_rows": tally.named,
            }
            for tally in found.tallies
        ],
        "remaining": found.on_older_keys + found.unreadable,
        "spare_keys": found.spare_keys(),
    }


def _lines(found: Survey) -> Iterator[str]:
    for tally in found.tallies:
        yield f"{tally.column}: {_counted(tally, found.keys)}"
        for name in tally.named:
            yield f"  no key opens it: {name}"
        if more := tally.unreadable - len(tally.named):
            yield f"  and {more} more"
    yield ""
    yield from _advice(found)


def _counted(tally: Tally, keys: Any) -> str:
    said = [f"{tally.on[0]} on the newest key ({keys[0]})"]
    older = list(zip(tally.on, keys, strict=True))[1:]
    said += [f"{number} on an older key ({key})" for number, key in older if number]
    if tally.unreadable:
        said.append(f"{tally.unreadable} unreadable")
    return ", ".join(said)


def _advice(found: Survey) -> Iterator[str]:
    if found.on_older_keys:
        yield (
            f"{found.on_older_keys} on older keys: leave all keys in FERNET_KEYS, and run rekey. If it has "
            "just run, a process that was not restarted still writes with an older key."
        )
    if found.unreadable:
        yield (
            f"{found.unreadable} unreadable: put the key that wrote them back into FERNET_KEYS, or enter "
            "these secrets again. Take no key out before that."
        )
    for key in found.spare_keys():
        yield (
            f"Key {key} opens nothing any more: take it out of FERNET_KEYS, restart every process, and keep "
            "it as long as backups of before are kept, which need it."
        )
    if found.is_done and len(found.keys) == 1:
        yield "Everything is on the only key."
