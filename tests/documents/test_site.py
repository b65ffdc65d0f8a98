"""The documentation as a site: `make docs`. Its navigation is the index, which lists every page."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cakewalk.documents import library

ABOUT_OTHER_THINGS = {"index", "screenshots/README"}


def test_every_page_is_listed_once_and_by_a_chapter() -> None:
    """Whoever writes a page, a decision too, gives it a line in docs/index.md."""
    written = {
        path.relative_to(library.DOCS).with_suffix("").as_posix() for path in library.DOCS.rglob("*.md")
    }
    listed = [address for addresses in library.chapters().values() for address in addresses]

    assert sorted(listed) == sorted(written - ABOUT_OTHER_THINGS)


def test_decisions_are_numbered_without_a_gap_and_listed_in_their_order() -> None:
    numbers = [int(address[len("decisions/") :][:4]) for address in library.chapters()["Decisions"]]

    assert numbers == list(range(1, len(numbers) + 1))


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """As the Makefile does it."""
    words = ["-m", "sphinx", "-q", "--fail-on-warning", "--keep-going", str(docs), str(site)]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Two pages, with the configuration of all."""
    root = tmp_path / "docs"
    root.mkdir()
    shutil.copy(library.DOCS / "conf.py", root)
    shutil.copytree(library.DOCS / "_site", root / "_site")
    shutil.copytree(library.DOCS.parent / "cakewalk/static", tmp_path / "cakewalk/static")
    (root / "index.md").write_text("# Cakewalk\n\n## Start\n\n- [First](first.md): what it is\n")
    (root / "first.md").write_text("# First\n\n## Steps\n\nSee [the steps](first.md#steps).\n")
    return root


@pytest.mark.soak
def test_a_site_asks_no_other_host_and_its_chapters_are_its_navigation(docs: Path, tmp_path: Path) -> None:
    done = build(docs, tmp_path / "site")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = (tmp_path / "site/first.html").read_text()
    assert re.search(r'class="caption-text">Start<.*?href="#">First<', page, re.DOTALL)
    fetched = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', page)
    assert len(fetched) > 5
    assert [address for address in fetched if "//" in address] == []
    styles = "".join(path.read_text() for path in (tmp_path / "site/_static").rglob("*.css"))
    assert re.findall(r"(?:url\(|@import) *['\"]?(?:https?:)?//", styles) == []


@pytest.mark.soak
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gone](gone.md)", "gone.md"),
        ("[gone](first.md#gone)", "gone"),
        ("![gone](gone.svg)", "gone.svg"),
        ("[a file](gone.zip)", "gone.zip"),
    ],
)
def test_a_link_that_leads_nowhere_is_an_error(docs: Path, tmp_path: Path, text: str, said: str) -> None:
    (docs / "first.md").write_text(f"# First\n\n{text}\n")
    done = build(docs, tmp_path / "site")

    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.soak
def test_a_page_that_no_chapter_lists_is_an_error(docs: Path, tmp_path: Path) -> None:
    (docs / "lost.md").write_text("# Lost\n")
    done = build(docs, tmp_path / "site")

    assert done.returncode == 1
    assert "lost.md: WARNING: document isn't included in any toctree" in done.stderr
