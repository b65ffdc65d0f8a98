#!/usr/bin/env python
"""Django's command line. A bad setting ends in one line that names it, not in a traceback."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from cakewalk.ledger.actors import acting, at_the_terminal

    try:
        with acting(at_the_terminal()):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"cakewalk: {error}")


if __name__ == "__main__":
    main()
