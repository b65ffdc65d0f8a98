"""Parts of pages, of docs/safety.md above all, that commands write and tests check: between two markers."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "safety.md"


def part(name: str, page: Path = PAGE) -> str:
    """What stands between the markers."""
    found = _pattern(name).search(page.read_text())
    assert found, f"{page.name} has no part named {name!r}."
    return found[2].strip()


def write(name: str, content: str, page: Path = PAGE) -> None:
    text = page.read_text()
    assert _pattern(name).search(text), f"{page.name} has no part named {name!r}."
    page.write_text(_pattern(name).sub(lambda found: f"{found[1]}\n\n{content}\n\n{found[3]}", text))


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->)(.*?)(<!-- end of {name} -->)", re.DOTALL)
