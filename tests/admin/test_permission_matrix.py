"""docs/permissions.md says who may do what, as tests find by trying; commands are tried here."""

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import transaction

from cakewalk.models import User
from provisioning.management.commands import approve, restore
from provisioning.models import ProvisioningJob
from tests import permission_tables, safety_page
from tests.admin.builders import Company, staff
from tests.admin.commands import BY_A_USER, FROM_A_SHELL
from tests.admin.roles import NOBODY, ROLES, SUPERUSER

OURS = ("cakewalk", "directory", "integrations", "provisioning")
OF_DEVELOPERS = {"makemessages"}
SAID = {
    "approve": "approve.",
    "cancel": "cancel jobs.",
    "reject": "reject.",
    "release": "release jobs.",
    "restore": "restore.",
}
"""What somebody may not."""


def commands() -> dict[str, str]:
    return {
        name: str(app)
        for name, app in get_commands().items()
        if str(app).split(".")[0] in OURS and name not in OF_DEVELOPERS
    }


def options(app: str, name: str) -> set[str]:
    parser = load_command_class(app, name).create_parser("manage.py", name)
    return {option for one in parser._actions for option in one.option_strings}


def test_every_command_is_named_and_those_that_act_for_a_user_are_known() -> None:
    for_users = {name for name, app in commands().items() if "--by" in options(app, name)}

    assert for_users == set(BY_A_USER)
    assert set(commands()) - for_users == FROM_A_SHELL


def test_a_command_acts_for_those_only_whose_roles_allow_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (approve, restore):
        monkeypatch.setattr(command, "run_here", lambda job, out: None)
        monkeypatch.setattr(command, "end_with", lambda job, out, as_json: None)
    rows = {"release": "abandoned job", "restore": "job that took"}
    users = {role: _with(role) for role in ROLES}

    for name, allowed in BY_A_USER.items():
        job = company.rows[rows[name]] if name in rows else company.waiting
        refusals = {role: _refusal(name, user, job) for role, user in users.items()}
        assert refusals == {
            role: "" if role in allowed else f"{user.username} may not {SAID[name]} (2)"
            for role, user in users.items()
        }


def _with(role: str) -> User:
    granted = [] if role in (NOBODY, SUPERUSER) else [role.capitalize()]
    return staff(f"{role} at a shell", *granted, is_superuser=role == SUPERUSER)


def _refusal(name: str, by: User, job: ProvisioningJob) -> str:
    """With its exit status. Nothing of it stays."""
    said = ""
    with transaction.atomic():
        try:
            call_command(name, str(job.pk), "--by", by.username, "--reason", "Because.")
        except CommandError as refused:
            said = f"{refused} ({refused.returncode})"
        transaction.set_rollback(True)
    return said


@pytest.mark.parametrize("part", ["pages", "deeds", "commands"])
def test_the_tables_of_the_page_are_what_is_tried(part: str) -> None:
    """Whoever adds a page, a deed or a command makes them anew: make permissions."""
    assert safety_page.part(part, permission_tables.PAGE) == permission_tables.tables()[part]
