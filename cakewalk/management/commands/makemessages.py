"""Django's command, writing files that change only where a text does, so that translators seldom meet."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages

CHANGES_EACH_TIME = re.compile(r'^"POT-Creation-Date: .*\n', re.MULTILINE)


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--sort-output"]
    # A guess by likeness is a wrong sentence until somebody looks: better none.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching", "--sort-output"]

    def handle(self, *args: Any, **options: Any) -> None:
        always = {"no_location": True, "no_obsolete": True, "no_wrap": True}
        super().handle(*args, **options | always)
        for folder in settings.LOCALE_PATHS:
            for file in Path(folder).rglob("*.po"):
                file.write_text(CHANGES_EACH_TIME.sub("", file.read_text()))
