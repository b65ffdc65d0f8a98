"""What the pages say of commands is what the commands are; what they show can be typed."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import NoReturn

import pytest
from django.core.management import get_commands, load_command_class
from markdown_it import MarkdownIt

from cakewalk.documents import library
from provisioning import history
from provisioning.advice import ADVICE
from provisioning.management.foreground import EXIT_STATUS
from provisioning.models import ProvisioningJob
from provisioning.safety import Code
from tests.admin.builders import action, integration, job

PAGE = (library.DOCS / "commands.md").read_text()
PAGES = {path.relative_to(library.DOCS).as_posix(): path for path in sorted(library.DOCS.rglob("*.md"))}
OURS = ("cakewalk", "directory", "integrations", "provisioning")
OF_DEVELOPERS = {"makemessages"}
"""Which make calls, with options of its own."""
OF_ALL = {
    "--help",
    "--version",
    "--verbosity",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
    "--skip-checks",
}
"""Options that Django gives to every command."""


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Its own, without those that every command has."""
    return [
        one
        for one in parser._actions
        if not OF_ALL & set(one.option_strings) and not isinstance(one, argparse._SubParsersAction)
    ]


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command, or each of its subcommands, by what is typed."""
    for name, app in sorted(get_commands().items()):
        if str(app).split(".")[0] in OURS and name not in OF_DEVELOPERS:
            parser = load_command_class(str(app), name).create_parser("manage.py", name)
            nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
            yield from ((f"{name} {sub}", under) for one in nested for sub, under in one.choices.items())
            if not nested:
                yield name, parser


PARSERS = dict(parsers())
commands = pytest.mark.parametrize("name", PARSERS)


@dataclass(frozen=True)
class Written:
    """How a command is typed, as the table of the page has it: optional parts stand in brackets."""

    whole: str

    @property
    def options(self) -> set[str]:
        return set(re.findall(r"--[a-z-]+", self.whole))

    @property
    def must(self) -> set[str]:
        return set(re.findall(r"--[a-z-]+", re.sub(r"\[[^]]*\]|\([^)]*\)", "", self.whole)))


def table() -> dict[str, Written]:
    [rows] = re.findall(r"^\| command \| what it does \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    typed = [row.replace("\\|", "|") for row in re.findall(r"^\| `(.+?)` \| ", rows, re.MULTILINE)]
    return {_called(whole): Written(whole) for whole in typed}


def _called(whole: str) -> str:
    """`connect openai --name` calls `connect`, and `history verify` itself."""
    words = whole.split()
    return " ".join(words[:2]) if " ".join(words[:2]) in PARSERS else words[0]


TABLE = table()


def test_the_page_has_every_command_and_no_other() -> None:
    assert sorted(TABLE) == sorted(PARSERS)


@commands
def test_the_page_has_every_option_and_says_which_must_be_given(name: str) -> None:
    taken = [option for one in arguments(PARSERS[name]) for option in one.option_strings]
    must = {one.option_strings[-1] for one in arguments(PARSERS[name]) if one.option_strings and one.required}

    assert TABLE[name].options == set(taken) - {"--json"}
    assert TABLE[name].must == must


@commands
def test_each_command_and_option_says_what_it_is_for(name: str) -> None:
    untold = [one.dest for one in arguments(PARSERS[name]) if not one.help]

    assert untold == []


def test_the_page_says_which_commands_print_no_json() -> None:
    [said] = re.findall(r"\(([^()]+have\s+no `--json`)\.\)", PAGE)
    named = set(re.findall(r"`([a-z_ ]+)`", said)) & set(PARSERS)

    assert named == {name for name in PARSERS if "--json" not in PARSERS[name]._option_string_actions}


def test_the_statuses_of_a_job_are_those_of_the_table() -> None:
    [table] = re.findall(r"## Exit status of `sync`.*?\n\n\| status.*?\n((?:\|.*\n)+)", PAGE, re.DOTALL)
    rows = {int(number): said for number, said in re.findall(r"^\| (\d) \| (.*) \|$", table, re.MULTILINE)}
    words = {"awaiting_approval": "awaits approval", "partial": "in part"}

    assert set(rows) == {*EXIT_STATUS.values(), 2}
    assert [
        state for state, status in EXIT_STATUS.items() if words.get(state, str(state)) not in rows[status]
    ] == []


def test_the_table_of_codes_has_all_that_advice_is_given_on() -> None:
    [rows] = re.findall(r"^\| code \| of \| means \|\n((?:\|.*\n?)+)", PAGE, re.MULTILINE)
    cells = re.findall(r"^\| (`.+?) \| ", rows, re.MULTILINE)
    listed = {code for cell in cells for code in re.findall(r"`(\w+)`", cell)}

    assert {str(code) for code in Code} - listed == set()
    assert set(ADVICE) - listed == set()


def example_below(heading: str) -> dict:
    [shown] = re.findall(rf"^## {heading}$.*?```json\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    return dict(json.loads(shown))


@pytest.mark.django_db
def test_the_document_of_a_job_has_the_fields_that_the_page_shows() -> None:
    asked = job(integration(), ProvisioningJob.State.RUNNING)
    action(asked, "invite", "done")
    printed, shown = history.job_document(asked), example_below("The document of a job")

    assert shown.keys() == printed.keys()
    for part in ("read", "counts"):
        assert shown[part].keys() == printed[part].keys()
    assert shown["actions"][0].keys() == printed["actions"][0].keys()


def typed() -> Iterator[tuple[str, int, list[str]]]:
    """Every call of manage.py in a block of any page: page, line, words."""
    for name, path in PAGES.items():
        for block in MarkdownIt().parse(path.read_text()):
            if block.type == "fence" and block.info in ("console", "sh"):
                for number, line in enumerate(block.content.splitlines(), start=block.map[0] + 2):
                    if found := re.match(r"(?:\$ )?(?:\S+=\S+ )*\S*python manage\.py (.+)", line):
                        yield name, number, _words(found[1])


def _words(text: str) -> list[str]:
    """What a shell would hand over, with a date where one is computed, up to where it is led elsewhere."""
    words = shlex.split(re.sub(r"\$\(date[^)]*\)", "2026-01-31", text), comments=True)
    return list(takewhile(lambda word: word not in ("|", ">", "<"), words))


TYPED = list(typed())


@pytest.mark.parametrize(("page", "line", "words"), TYPED, ids=str)
def test_what_a_page_types_is_a_command_that_takes_it(page: str, line: int, words: list[str]) -> None:
    name, *rest = words
    apps = get_commands()
    assert name in apps, f"docs/{page}:{line}"
    parser = load_command_class(str(apps[name]), name).create_parser("manage.py", name)
    refuse_by_raising(parser)
    assert parser.parse_args(rest)


def refuse_by_raising(parser: argparse.ArgumentParser) -> None:
    def refuse(message: str) -> NoReturn:
        raise ValueError(message)

    parser.error = refuse  # type: ignore[method-assign]


def test_the_pages_type_many() -> None:
    assert len(TYPED) > 40
    assert len({name for name, *_ in TYPED}) > 8
