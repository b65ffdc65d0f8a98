"""Settings from the environment and `.env`, each secret also from NAME_FILE; a bad value is named."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()


def load(path: str) -> None:
    """Read `.env` where it exists; what the process was given wins."""
    environ.Env.read_env(path)


def text(name: str, default: str | None = None) -> str:
    return str(_env.str(name, default=default)) if default is not None else str(_env.str(name))


def secret(name: str, default: str | None = None) -> str:
    """NAME, or the contents of the file that NAME_FILE names."""
    if path := _env.str(f"{name}_FILE", default=""):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error
    return text(name, default)


def boolean(name: str, default: bool) -> bool:
    return bool(_env.bool(name, default=default))


def port(name: str, default: int) -> int:
    given = text(name, str(default))
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise ImproperlyConfigured(f"{name}: {given!r} is no port; give a number from 1 to 65535.")
    return int(given)


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    return [str(word) for word in _env.list(name, default=list(default))]


def database(name: str, default: str) -> dict[str, Any]:
    return dict(_env.db_url_config(secret(name, default)))
