"""Settings from the environment and `.env`, each secret also from NAME_FILE.

A value is judged where it is read. A bad or missing one stops whatever was started, with a sentence that
begins with the variable's name and repeats nothing that may be secret.
"""

import base64
import io
import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

YES, NO = {"true", "yes", "y", "on", "1"}, {"false", "no", "n", "off", "0"}
SHORTEST_SIGNING_KEY = 32
HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
HEADER = re.compile(r"[a-z][a-z0-9-]*", re.IGNORECASE)
SENDER = re.compile(r"[^<>@\s]+@[^<>@\s]+|[^<>@\r\n]+ <[^<>@\s]+@[^<>@\s]+>")
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465, "consolemail": None}
ORIGIN = re.compile(r"https?://[\w.*:\[\]-]+", re.IGNORECASE)


files_of_secrets: dict[str, Path] = {}
"""What secrets were read from, by the name of the setting: only Cakewalk should be able to read them."""


def load(name: str, default: Path) -> None:
    """Read the file that NAME names, or the default where it exists; what the process was given wins."""
    given = text(name)
    if given or default.exists():
        files_of_secrets[name] = Path(given or default)
        environ.Env.read_env(io.StringIO(_contents(name, given or str(default))))


def text(name: str, default: str = "") -> str:
    """The value as it stands: django-environ itself would replace one that begins with `$`, as a key may."""
    return os.environ.get(name, "").strip() or default


def secret(name: str, default: str | None = None) -> str:
    """NAME, or the contents of the file that NAME_FILE names. Without a default it must be set."""
    if path := text(f"{name}_FILE"):
        files_of_secrets[f"{name}_FILE"] = Path(path)
        if value := _contents(f"{name}_FILE", path).strip():
            return value
        raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
    value = text(name, default or "")
    if not value and default is None:
        raise ImproperlyConfigured(f"{name} is not set, and neither is {name}_FILE.")
    return value


def _contents(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}: {path} is not a text in UTF-8.") from None


def signing_key(name: str) -> str:
    key = secret(name)
    if len(key) < SHORTEST_SIGNING_KEY:
        raise ImproperlyConfigured(
            f"{name} is too short: it needs at least {SHORTEST_SIGNING_KEY} characters."
        )
    return key


def fernet_keys(name: str) -> list[str]:
    """Separated by commas, or in a file by lines."""
    keys = re.split(r"[,\s]+", secret(name).strip(", "))
    for place, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: key {place} of {len(keys)} is not a Fernet key (32 bytes in URL-safe base64)."
            ) from None
    return keys


def ledger_key(name: str) -> str:
    """An Ed25519 private key, in base64; empty where there is none."""
    key = secret(name, "")
    if key and not _is_32_bytes(key):
        raise ImproperlyConfigured(f"{name} is not a key of `history key` (32 bytes in base64).")
    return key


def public_keys(name: str) -> list[str]:
    keys = words(name)
    for place, key in enumerate(keys, start=1):
        if not _is_32_bytes(key):
            raise ImproperlyConfigured(
                f"{name}: key {place} of {len(keys)} is not a public key of `history key` "
                "(32 bytes in base64)."
            )
    return keys


def _is_32_bytes(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 32
    except ValueError:
        return False


def folder(name: str, default: Path) -> Path:
    path = Path(text(name) or default)
    if path.exists() and not path.is_dir():
        raise ImproperlyConfigured(f"{name}: {path} is no folder.")
    return path


def boolean(name: str, default: bool) -> bool:
    word = text(name).casefold()
    if word and word not in YES | NO:
        raise ImproperlyConfigured(f"{name} is {word!r}; write true or false.")
    return word in YES if word else default


def port(name: str, default: int) -> int:
    given = text(name, str(default))
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise ImproperlyConfigured(f"{name}: {given!r} is no port; give a number from 1 to 65535.")
    return int(given)


def number_between(name: str, default: int, *, least: int, most: int) -> int:
    given = text(name, str(default))
    if not given.isascii() or not given.isdecimal() or not least <= int(given) <= most:
        raise ImproperlyConfigured(f"{name}: {given!r} is no number from {least} to {most}.")
    return int(given)


def time_zone(name: str, default: str) -> str:
    given = text(name, default)
    if given not in available_timezones():
        raise ImproperlyConfigured(f"{name}: {given!r} is no time zone; write it as Europe/Berlin.")
    return given


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    return _split(text(name)) or list(default)


def _split(value: str) -> list[str]:
    return [word for word in (part.strip() for part in value.split(",")) if word]


def hosts(name: str, default: Sequence[str] = (), *, of: str = "") -> list[str]:
    """`of`: an address whose host always is one of them."""
    found = words(name, default)
    for host in found:
        if not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name}: {host!r} is not a host name; leave out https://, the port and the path."
            )
    host = urlsplit(of).hostname or ""
    return _with(f"[{host}]" if ":" in host else host, found)


def proxy_header(name: str) -> tuple[str, str] | None:
    """The header by which a proxy says that it was asked over TLS, as Django wants to have it."""
    given = text(name)
    if given and not HEADER.fullmatch(given):
        raise ImproperlyConfigured(
            f"{name}: {given!r} is no name of a header; write it as X-Forwarded-Proto."
        )
    return (f"HTTP_{given.upper().replace('-', '_')}", "https") if given else None


def origins(name: str, *, of: str = "") -> list[str]:
    """`of`: an address whose origin always is one of them."""
    found = words(name)
    for origin in found:
        if not ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(
                f"{name}: {origin!r} is not an origin; write it as https://cakewalk.example.org."
            )
    parts = urlsplit(of)
    return _with(f"{parts.scheme}://{parts.netloc}".lower() if of else "", found)


def _with(word: str, found: list[str]) -> list[str]:
    return [*found, word] if word and word not in found else found


def address(name: str) -> str:
    url = text(name)
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if url and not (host and re.match(r"https?://[^/\s]", url, re.IGNORECASE)):
        raise ImproperlyConfigured(f"{name} is not an address; it begins with https:// and names a host.")
    return url


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    found = []
    for word in words(name):
        try:
            network = ip_network(word, strict=False)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: {word!r} is no address and no network; write it as 10.0.0.7 or 10.0.0.0/24."
            ) from None
        if network.prefixlen == 0:
            raise ImproperlyConfigured(f"{name}: {word!r} is everybody, and not everybody can be believed.")
        found.append(network)
    return found


def choice(name: str, choices: Sequence[str], default: str) -> str:
    given = text(name, default)
    found = next((one for one in choices if one.casefold() == given.casefold()), None)
    if found is None:
        raise ImproperlyConfigured(f"{name} is {given!r}; write one of: {', '.join(choices)}.")
    return found


def number(name: str, default: int) -> int:
    given = text(name, str(default))
    if not given.isascii() or not given.isdecimal() or len(given) > 10:
        raise ImproperlyConfigured(f"{name}: {given!r} is no number; write 0 or more, without a unit.")
    return int(given)


def folder_of_files(name: str) -> Path | None:
    """Whether it is there is seen when it is used: not every process has it."""
    given = text(name)
    if given and not Path(given).is_absolute():
        raise ImproperlyConfigured(f"{name} must be a whole path, which begins with /.")
    return Path(given) if given else None


def issuer(name: str) -> str:
    """Of an OpenID Connect provider, exactly as it calls itself. Without TLS only on this very machine."""
    url = address(name)
    parts = urlsplit(url)
    if url and parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ImproperlyConfigured(f"{name} must begin with https://: passwords and tokens depend on it.")
    return url


def needed_with(name: str, other: str) -> str:
    given = text(name)
    if other and not given:
        raise ImproperlyConfigured(f"{name} is not set, and OIDC_ISSUER is.")
    return given


def pairs(name: str) -> dict[str, str]:
    """`group=Role,other group=Other role`; a group may have several equal signs, a role none."""
    found = {}
    for word in words(name):
        left, _sign, right = (part.strip() for part in word.rpartition("="))
        if not left or not right:
            raise ImproperlyConfigured(f"{name}: {word!r} is no pair; write it as group=Role.")
        found[left] = right
    return found


def somebody_can_sign_in(name: str, *, passwords: bool, issuer: str, roles: dict[str, str]) -> None:
    if not passwords and not issuer:
        raise ImproperlyConfigured(f"{name} is off, and OIDC_ISSUER is not set: nobody could sign in.")
    if issuer and not roles:
        raise ImproperlyConfigured("OIDC_ROLES is not set, and OIDC_ISSUER is: nobody would have a role.")


def mail(name: str) -> dict[str, Any]:
    """Django's settings of the server that takes e-mails; without one, none are sent anywhere."""
    url = secret(name, "")
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend", "EMAIL_HOST": ""}
    try:
        parts = urlsplit(url)
        usable = parts.scheme in MAIL_PORTS and (parts.hostname or parts.scheme == "consolemail")
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise ImproperlyConfigured(
            f"{name} is no address of a mail server; write smtp+tls://USER:PASSWORD@HOST:587 or "
            "smtp+ssl://…:465, and special characters percent-encoded."
        )
    found = environ.Env.email_url_config(url)
    return {
        "EMAIL_PORT": MAIL_PORTS.get(parts.scheme),
        **{key: value for key, value in found.items() if value and key != "EMAIL_FILE_PATH"},
    }


def sender(name: str, default: str) -> str:
    given = text(name, default)
    if not SENDER.fullmatch(given):
        raise ImproperlyConfigured(
            f"{name}: {given!r} is no e-mail address; write it as cakewalk@example.org or "
            "Cakewalk <cakewalk@example.org>."
        )
    return given


def database(name: str, default: str) -> dict[str, Any]:
    url = secret(name, default)
    # Judged before django-environ sees it, which would warn of an unknown one and repeat the password there,
    # and which takes sqlite://file for a database in memory.
    if not re.match(r"sqlite:///.|sqlite://:memory:$|postgres(ql)?://", url):
        raise ImproperlyConfigured(
            f"{name} begins with neither postgres:// nor sqlite:/// (four slashes before an absolute path)."
        )
    try:
        found = dict(environ.Env.db_url_config(url))
    except ValueError:
        found = {}
    if not found.get("NAME"):
        raise ImproperlyConfigured(
            f"{name} cannot be read; write postgres://USER:PASSWORD@HOST:PORT/DATABASE, "
            "and special characters percent-encoded."
        )
    return found


def broker(name: str, default: str) -> str:
    url = secret(name, default)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("memory", "redis", "rediss") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"/?\d*", parts.path):
        raise ImproperlyConfigured(
            f"{name} is neither memory:// nor an address of Redis such as redis://HOST:6379/0."
        )
    return url
