"""An inbound SCIM source and its bearer token."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from cakewalk.commands import BaseCommand
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory.models import Source


class Command(BaseCommand):
    help = (
        "Make a source of people that an identity provider fills through SCIM at /scim/v2, and print the "
        "bearer token that its SCIM client signs in with. The token is printed once and kept only as a "
        "digest. --rotate issues a new one; the one before works for another 24 hours, unless it is revoked "
        "on the source's page."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the source's name")
        parser.add_argument("--rotate", action="store_true", help="renew the token of an existing source")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON document")

    def handle(self, *, name: str, rotate: bool, json: bool, **given: Any) -> None:
        with together():
            source = _existing(name) if rotate else _new(name)
            token = source.issue_token(now=timezone.now())
        if json:
            self._print_json(source, token, rotated=rotate)
            return
        if source.old_token_valid_until:
            until = f"{timezone.localtime(source.old_token_valid_until):%Y-%m-%d %H:%M %Z}"
            self.stderr.write(f"The token before works until {until}.", style_func=str)
        self.stderr.write(f"The token of source {name!r}, shown only this once:", style_func=str)
        self.stdout.write(token)

    def _print_json(self, source: Source, token: str, *, rotated: bool) -> None:
        until = source.old_token_valid_until
        document = {
            "source": source.name,
            "kind": source.kind,
            "rotated": rotated,
            "token": token,
            "old_token_valid_until": until.isoformat() if until else None,
        }
        self.stdout.write(json.dumps(document, ensure_ascii=False))


def _existing(name: str) -> Source:
    source = Source.objects.select_for_update().filter(name=name, kind=Source.Kind.SCIM).first()
    if source is None:
        raise CommandError(f"There is no SCIM source {name!r}. Without --rotate it is made.", returncode=2)
    return source


def _new(name: str) -> Source:
    if not name.strip() or len(name) > 100:
        raise CommandError("The name of a source has 1 to 100 characters.", returncode=2)
    if there := Source.objects.filter(name=name).first():
        hint = " --rotate renews its token." if there.kind == Source.Kind.SCIM else ""
        raise CommandError(f"There is a source {name!r} already.{hint}", returncode=2)
    source = Source.objects.create(name=name, kind=Source.Kind.SCIM)
    record(Verb.ADDED, source, after={"name": name, "kind": source.kind})
    return source
