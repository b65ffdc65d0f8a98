"""What staff may enter as an OpenAI key and as an API address, and why not. Pure."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from integrations.connectors.base import Recognized

OPENAI_URL = "https://api.openai.com/v1"
ADMIN_KEYS_PAGE = "https://platform.openai.com/settings/organization/admin-keys"
OPENAI_HOSTS = frozenset(
    {"api.openai.com"} | {f"{region}.api.openai.com" for region in ("us", "eu", "ae", "au", "in", "jp")}
)
ADMIN_KEY = "sk-admin-"
HIDDEN = re.compile(r"\.{2,}|…|\*+")
"""What stands for the part of a key that is not shown."""
SHORTEST_KEY = 24
LONGEST_KEY = 500
QUOTATION_MARKS = "\"'`“”„«»\u2018\u2019"


def gettext_noop(text: str) -> str:
    """Marks a text for translators. It is translated where it is shown: this module knows no Django."""
    return text


RECOGNIZED = (
    Recognized(r"^\s*$", gettext_noop("Enter the API key.")),
    Recognized(
        r"[Bb](earer|EARER)\s",
        gettext_noop("Leave out the word “Bearer” and all before it, and enter the key alone."),
    ),
    Recognized(
        r"^\s*(export\s|set\s|\$env:)?\s*[A-Za-z_][A-Za-z0-9_]*\s*=",
        gettext_noop(
            "This is a whole line of settings. Enter only what stands after the = sign, without "
            "quotation marks."
        ),
    ),
    Recognized(f"[{QUOTATION_MARKS}]", gettext_noop("Leave out the quotation marks around the key.")),
    Recognized(r"\s", gettext_noop("A key has no spaces or line breaks in it: copy it again, in one piece.")),
    Recognized(
        r"…|\.\.\.|\*\*",
        gettext_noop(
            "This is the shortened form in which OpenAI shows a key later. Enter the whole key; where "
            "nobody has it any more, make a new one."
        ),
    ),
    Recognized(
        r"^sk-svcacct-",
        gettext_noop(
            "This is the key of a service account, and it cannot manage members. That needs an Admin key "
            "(sk-admin-…), which an organization owner makes at "
            "https://platform.openai.com/settings/organization/admin-keys."
        ),
    ),
    Recognized(
        r"^sk-(?!admin-|ant-)",
        gettext_noop(
            "This is a project key, and it cannot manage members. That needs an Admin key (sk-admin-…), "
            "which an organization owner makes at https://platform.openai.com/settings/organization/admin-keys."
        ),
    ),
    Recognized(
        r"^(?!sk-admin-)",
        gettext_noop(
            "This does not look like an OpenAI key. Enter an Admin key (sk-admin-…), which an organization "
            "owner makes at https://platform.openai.com/settings/organization/admin-keys."
        ),
    ),
    Recognized(
        r"[^ -~]",
        gettext_noop(
            "The key has characters in it that no key has, such as accented letters: copy it again."
        ),
    ),
    Recognized(
        r"[^A-Za-z0-9_-]",
        gettext_noop("The key has a character in it that no key has: only letters, digits, - and _ occur."),
    ),
    Recognized(
        f"^.{{0,{SHORTEST_KEY - 1}}}$", gettext_noop("The key is too short: part of it was not copied.")
    ),
    Recognized(
        f"^.{{{LONGEST_KEY + 1}}}",
        gettext_noop("The key is too long: something else was copied along with it."),
    ),
    Recognized(
        f"^{ADMIN_KEY}",
        gettext_noop("This is an Admin key. Whether it works is seen when it is tried."),
        refused=False,
    ),
)
"""Every text is one of these. What is around a key comes first, as it hides what kind the key is."""


def refuse_secret(secret: str) -> str | None:
    """The first thing that is wrong with a key, as a sentence."""
    seen = next(kind for kind in RECOGNIZED if re.search(kind.pattern, secret))
    return seen.sentence if seen.refused else None


def secret_hint(secret: str) -> str:
    return f"{ADMIN_KEY}…{secret[-4:]}"


def shortened(shown: str) -> str:
    """Of the form in which OpenAI shows a key: its kind and its last four characters at most. Nothing of what
    hides no part of the key.
    """
    parts = HIDDEN.split(shown)
    if len(parts) < 2:
        return ""
    kind = re.match(r"sk-(?:(?:admin|proj|svcacct)-)?", parts[0])
    return f"{kind.group() if kind else ''}…{parts[-1][-4:]}"


def is_shown_as(secret: str, shown: str) -> bool:
    """`sk-admin-...x1` may be a key that begins and ends so. What hides either end tells of none."""
    parts = HIDDEN.split(shown)
    return all((parts[0], parts[-1])) and secret.startswith(parts[0]) and secret.endswith(parts[-1])


def refuse_base_url(base_url: str, allowed_hosts: Collection[str], *, local: bool) -> str | None:
    """The first thing that is wrong with an address. A key must not be sent elsewhere by a typing error.

    `local`: whether it may be sent to this machine though no setting names it.
    """
    try:
        address = urlsplit(base_url)
        host = (address.hostname or "").lower()
        _ = address.port
    except ValueError:
        return gettext_noop("This is not an address. OpenAI's is https://api.openai.com/v1.")
    ours = (local and is_loopback(host)) or host in {allowed.lower().strip("[]") for allowed in allowed_hosts}
    return _refuse_parts(base_url, address, host) or _refuse_host(address, host, ours=ours)


def _refuse_parts(base_url: str, address: SplitResult, host: str) -> str | None:
    if address.scheme not in ("http", "https") or not host:
        return gettext_noop(
            "The address must begin with https:// and name a host, such as https://api.openai.com/v1."
        )
    if "@" in address.netloc:
        return gettext_noop("Leave the user name and password out of the address.")
    if "?" in base_url or "#" in base_url:
        return gettext_noop("Leave out everything from the ? or # on in the address.")
    if not re.fullmatch(r"https?://[\w.:\[\]-]+[\w./~-]*", base_url, re.ASCII | re.IGNORECASE):
        return gettext_noop("The address has a character in it that does not belong there.")
    return None


def _refuse_host(address: SplitResult, host: str, *, ours: bool) -> str | None:
    if not ours and host not in OPENAI_HOSTS:
        return (
            f"{host} is not an OpenAI host, so the key is not sent there. Use {OPENAI_URL}, or name the host "
            "in the setting CONNECTOR_ALLOWED_HOSTS."
        )
    if not ours and address.scheme != "https":
        return gettext_noop(
            "The address must begin with https://, so that nobody on the way can read the key."
        )
    return None


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
