"""The tables of docs/permissions.md, made of what tests/admin tries as every role: make permissions."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests import environment, safety_page

PAGE = Path(__file__).parents[1] / "docs" / "permissions.md"
MARK = "✓"


def tables() -> dict[str, str]:
    from tests.admin.commands import BY_A_USER, FROM_A_SHELL  # noqa: PLC0415 - they need settings
    from tests.admin.deeds import DEEDS  # noqa: PLC0415
    from tests.admin.roles import NONE, SHOWN_TO  # noqa: PLC0415

    seen = [(f"`{addresses()[name]}`", who) for name, who in SHOWN_TO.items() if who]
    done = [(_capital(deed.what), f"`{addresses()[deed.page]}`", deed.who) for deed in DEEDS if deed.who]
    never = [deed.what for deed in DEEDS if deed.who == NONE]
    shell = ", ".join(f"`{name}`" for name in sorted(FROM_A_SHELL))
    return {
        "pages": _table(("page",), sorted(seen)),
        "deeds": "\n\n".join((_table(("deed", "address"), done), f"Nobody can {_listed(never)}.")),
        "commands": "\n\n".join(
            (
                _table(("command",), [(f"`{name} --by USER`", who) for name, who in BY_A_USER.items()]),
                f"Everything else is for whoever may read `FERNET_KEYS` and the database: {shell}.",
            )
        ),
    }


def addresses() -> dict[str, str]:
    """As they stand in the browser, with … for what is different each time."""
    from tests.admin.pages import patterns  # noqa: PLC0415

    def plain(route: str) -> str:
        return re.sub(r"<[^>]*>|\^\(\?P<.*\)(?=/\$)", "…", route).removesuffix("$")

    return {name: f"/{plain(route)}" for route, name in patterns() if name}


def _table(headings: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """The last cell of each row is the roles."""
    from tests.admin.roles import NOBODY, ROLES  # noqa: PLC0415

    names = ["no role" if role == NOBODY else role for role in ROLES]
    lines = [[*headings, *names], ["---"] * len([*headings, *ROLES])]
    for *cells, who in rows:
        lines.append([*map(str, cells), *(MARK if role in who else "" for role in ROLES)])  # type: ignore[operator]
    return "\n".join(f"| {' | '.join(line)} |".replace("  ", " ") for line in lines)


def _listed(what: list[str]) -> str:
    *others, last = what
    return f"{', '.join(others)} or {last}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    import django

    environment.prepare()
    django.setup()
    for part, content in tables().items():
        safety_page.write(part, content, PAGE)
