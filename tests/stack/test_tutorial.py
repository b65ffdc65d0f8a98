"""docs/tutorial.md is run as it stands, against an installation that `make run` would start."""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import requests
from markdown_it import MarkdownIt

from tests.stack.installation import ROOT, SingleProcess

PAGE = ROOT / "docs" / "tutorial.md"
PORT = "localhost:8000"
BY_ITSELF = 60.0
"""Seconds within which what the page says comes to be: a job that nobody asked for."""


@dataclass(frozen=True)
class Step:
    """A command of the page, and what it prints there."""

    line: int
    command: str
    printed: str

    def is_printed_by(self, output: str) -> bool:
        return bool(re.fullmatch(".*".join(map(re.escape, self.printed.split("…"))), output, re.DOTALL))

    @property
    def only_looks(self) -> bool:
        return bool(re.search(r"manage\.py jobs?\b", self.command))


def steps(text: str) -> list[Step]:
    blocks = [
        token for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == "console"
    ]
    found = []
    for block in blocks:
        for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block.content, re.MULTILINE):
            found.append(Step(block.map[0] + 1, command, printed.rstrip()))
    return found


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[SingleProcess]:
    """As `make run` starts it, with its Python where the page says."""
    installation = SingleProcess(tmp_path)
    installation.spare_the_migrations()
    (tmp_path / ".venv").symlink_to(sys.prefix)
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


def output_of(step: Step, installation: SingleProcess) -> str:
    """What a terminal shows; of what only looks, once it shows what the page says."""
    until = time.monotonic() + BY_ITSELF
    while True:
        shown = installation.shown_by(step.command).rstrip()
        if step.is_printed_by(shown) or not step.only_looks or time.monotonic() > until:
            return shown
        time.sleep(1)


@pytest.mark.soak
def test_each_command_of_the_tutorial_prints_what_the_tutorial_says(acme: SingleProcess) -> None:
    make_run, *typed = steps(PAGE.read_text())
    assert make_run.command == "make run"
    log = acme.log("serve").rstrip().replace(f"localhost:{acme.port}", PORT)
    assert make_run.is_printed_by(log), log

    assert len(typed) > 12
    for step in typed:
        shown = output_of(step, acme)
        assert step.is_printed_by(shown), f"docs/tutorial.md:{step.line}\n$ {step.command}\n{shown}"
    assert_its_pages_answer(acme)


def assert_its_pages_answer(acme: SingleProcess) -> None:
    addresses = re.findall(rf"<http://{PORT}(/[^>]+)>", PAGE.read_text())
    assert len(addresses) > 2
    with requests.Session() as admin:
        form = admin.get(f"{acme.url}/admin/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(.+?)"', form)[1]
        given = {"username": "admin", "password": acme.password, "csrfmiddlewaretoken": token}
        assert "admin" in admin.post(f"{acme.url}/admin/login/?next=/admin/", data=given).text
        pages = {address: admin.get(acme.url + address, allow_redirects=False) for address in addresses}
    assert {address: page.status_code for address, page in pages.items()} == dict.fromkeys(addresses, 200)
    history = unescape(pages[next(address for address in addresses if "?who=" in address)].text)
    assert "Grace Hopper" in history


def test_an_output_that_changed_is_not_taken_for_what_the_page_says() -> None:
    [step] = steps("# Say\n\n```console\n$ echo\nJob 1: … done.\nBye\n```\n")

    assert step.is_printed_by("Job 1: 2 done.\nBye")
    assert not step.is_printed_by("Job 2: 2 done.\nBye")
    assert not step.is_printed_by("Job 1: 2 done.\nBye.")
    assert not step.is_printed_by("Job 1: 2 done.")
