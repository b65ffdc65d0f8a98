"""Whatever a command changes is told in the ledger. A command that is not named here fails a test."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from provisioning.models import ProvisioningJob
from tests.admin.builders import channel, job, mark, of_state, staff
from tests.admin.deeds import everything
from tests.ledger.told import last_seq, told
from tests.provisioning.world import World, held_job, staffed

OURS = ("cakewalk", "directory", "integrations", "provisioning")
State = ProvisioningJob.State
Words = tuple[str, ...]

ONE_BY_ONE = {
    "makemessages": "writes files of the code",
    "serve": "migrates and starts processes, whose deeds are told by themselves",
    "simulate": "stands for a remote",
}
"""What is not run here, and why not."""


@dataclass(frozen=True)
class Case:
    """`words`: of a command, after what they need was made. `tells`: among its entries is one of each."""

    words: Callable[[World, Path], Words]
    tells: frozenset[Verb]


def tells(words: Callable[[World, Path], Words], *verbs: Verb) -> Case:
    return Case(words, frozenset(verbs))


def by(name: str = "alice") -> Words:
    return "--by", name, "--reason", "They left."


def written(folder: Path, name: str, *lines: str) -> str:
    (folder / name).write_text("\n".join([*lines, ""]))
    return str(folder / name)


def held(world: World, deed: str) -> Words:
    world.approver()
    return deed, str(held_job(world).pk), *by()


def abandoned(world: World, deed: str) -> Words:
    world.approver()
    return deed, str(job(world.integration, State.RUNNING, **of_state(State.RUNNING)).pk), *by()


def taken(world: World, deed: str) -> Words:
    emails = staffed(world, 4)
    world.dismiss(emails[0])
    world.approver()
    return deed, str(world.sync()["job"]), *by()


def old_history(world: World, folder: Path) -> Words:
    long_ago = timezone.now() - timedelta(days=2_000)
    for _ in range(2):
        job(world.integration, preview=True, planned_at=None, finished_at=long_ago)
    world.sync()
    before = str(date.today() - timedelta(days=1_000))  # noqa: DTZ011 - any day long ago
    return "history", "prune", "--before", before, "--export", str(folder / "old.jsonl.gz")


RULES = '[[rule]]\nname = "Readers"\nrole = "reader"\n'

CHANGES = {
    "after_restore": tells(lambda world, folder: ("after_restore",), Verb.RESTORED),
    "alarms --test": tells(
        lambda world, folder: ("alarms", "--test", channel("Ops").name), Verb.CHANNEL_TESTED
    ),
    "approve": tells(lambda world, folder: held(world, "approve"), Verb.JOB_APPROVED, Verb.ACTION_DONE),
    "cancel": tells(lambda world, folder: held(world, "cancel"), Verb.JOB_CANCELLED),
    "configure": tells(lambda world, folder: ("configure", "Acme", "--set", "mode=observe"), Verb.CHANGED),
    "connect": tells(
        lambda world, folder: (
            *("connect", "openai", "--name", "Second", "--key-env", "KEY_OF_A_TEST"),
            *("--base-url", world.simulator.base_url),
        ),
        Verb.ADDED,
    ),
    "evidence": tells(
        lambda world, folder: (
            *("evidence", "Acme", "--since", "2026-01-01", "--until", "2026-01-31"),
            *("--out", str(folder / "pack.zip")),
        ),
        Verb.EVIDENCE_MADE,
    ),
    "export_rules": tells(
        lambda world, folder: ("export_rules", str(folder / "rules.toml")), Verb.EXPORT_BEGUN
    ),
    "history export": tells(
        lambda world, folder: ("history", "export", "--format", "csv"), Verb.EXPORT_BEGUN
    ),
    "history prune": tells(old_history, Verb.HISTORY_PRUNED),
    "ignore": tells(
        lambda world, folder: ("ignore", "Acme", "vip@example.org", "--reason", "Agreed."), Verb.ADDED
    ),
    "import_people": tells(
        lambda world, folder: ("import_people", written(folder, "people.csv", "email", "new@example.org")),
        Verb.PEOPLE_IMPORTED,
    ),
    "import_rules": tells(
        lambda world, folder: ("import_rules", written(folder, "rules.toml", RULES)), Verb.ADDED
    ),
    "new_password": tells(lambda world, folder: ("new_password", "admin", "--create"), Verb.ADDED),
    "protect": tells(
        lambda world, folder: ("protect", "Acme", "vip@example.org", "--reason", "Agreed."), Verb.ADDED
    ),
    "reject": tells(lambda world, folder: held(world, "reject"), Verb.JOB_REJECTED),
    "release": tells(lambda world, folder: abandoned(world, "release"), Verb.JOB_RELEASED),
    "restore": tells(lambda world, folder: taken(world, "restore"), Verb.JOB_REQUESTED, Verb.JOB_HELD),
    "rotate_credential": tells(lambda world, folder: ("rotate_credential", "Acme"), Verb.CREDENTIAL_ROTATED),
    "scim_source": tells(lambda world, folder: ("scim_source", "okta"), Verb.ADDED),
    "sync": tells(lambda world, folder: ("sync", "Acme"), Verb.JOB_REQUESTED, Verb.JOB_ENDED),
    "unlock": tells(lambda world, folder: ("unlock", staff("shut out").username), Verb.UNLOCKED),
    "unmark": tells(lambda world, folder: ("unmark", "Acme", mark(world.integration).email), Verb.DELETED),
}

LOOKS = {
    "alarms": ("alarms",),
    "configure to print": ("configure", "Acme"),
    "import_people --dry-run": ("import_people", "people.csv", "--dry-run"),
    "job": ("job", "1"),
    "jobs": ("jobs",),
    "rekey --dry-run": ("rekey", "--dry-run"),
    "reviews": ("reviews",),
}

BESIDE_THE_LEDGER = {
    "history checkpoint": "a signed file that says where the ledger stands is no entry of it",
    "history key": "prints a key that nobody has yet",
    "history verify": "keeps what it found in a table of its own; an entry for each would be its only news",
    "pull_source": "a pull is told as an import is, and shown with a real server in tests/ldap",
    "rekey": "no value is another than before; shown in tests/secrecy",
}
"""What changes something that is not told here, or is told and shown elsewhere."""


def test_every_command_is_named() -> None:
    ours = {name for name, app in get_commands().items() if app.startswith(OURS)}
    named = {words.partition(" ")[0] for words in (*CHANGES, *LOOKS, *BESIDE_THE_LEDGER)}

    assert ours - ONE_BY_ONE.keys() == named


def run(*words: str) -> None:
    with suppress(SystemExit):
        call_command(*words, stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_a_command_changes_is_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KEY_OF_A_TEST", world.organization.admin_key)
    words, before = CHANGES[name].words(world, tmp_path), last_seq()

    run(*words)

    assert CHANGES[name].tells - {verb for _, verb in told(before)} == frozenset()


@pytest.mark.parametrize("name", LOOKS)
def test_what_only_looks_changes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "people.csv", "email", "new@example.org")
    world.preview()
    before, since = everything(), last_seq()

    run(*(str(ProvisioningJob.objects.latest("pk").pk) if word == "1" else word for word in LOOKS[name]))

    assert everything() == before
    assert told(since) == []
