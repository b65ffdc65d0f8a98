"""No code is without advice: whatever a job refuses, holds or fails with, its page says what to do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from integrations.connectors.base import (
    ActionRejected,
    ConnectorError,
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    RemoteUnreachable,
)
from provisioning import applying
from provisioning.admin.next_steps import next_step
from provisioning.advice import ADVICE
from provisioning.safety import Code
from tests.admin.builders import integration, job, staff

ROOT = Path(__file__).parents[2]
DOCUMENTED = ROOT / "docs" / "commands.md"
RAISED = ("NotNow", "_stop")
"""Calls that name a code, as their second argument."""
CALLS_OF_CONNECTORS = (
    "rejected",
    "credential_rejected",
    "permission_missing",
    "rate_limited",
    "unreachable",
    "failed",
)


def written() -> set[str]:
    """Every code that provisioning writes down somewhere."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "provisioning").glob("*.py")]
    trees += [ast.parse(path.read_text()) for path in (ROOT / "provisioning" / "models").glob("*.py")]
    return {code for tree in trees for node in ast.walk(tree) for code in _codes(node)}


def _codes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Dict(
            keys=[ast.Constant("code"), ast.Constant("detail")], values=[ast.Constant(str(code)), _]
        ):
            yield code
        case ast.Call(func=ast.Name(name), args=[_, ast.Constant(str(code)), *_]) if name in RAISED:
            yield code


def documented() -> set[str]:
    table = DOCUMENTED.read_text().rpartition("| code | of | means |")[2]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {code for first in firsts for code in re.findall(r"`(\w+)`", first)}


def test_every_code_is_written_about_and_has_advice() -> None:
    known = {*map(str, Code), *written(), *CALLS_OF_CONNECTORS}

    assert {"outcome_unknown", "stale", "not_approved", "not_enabled", "internal"} <= known
    assert known - set(ADVICE) == set()
    assert set(ADVICE) - known == set()
    assert set(ADVICE) - documented() == set()


def test_every_error_of_a_call_has_a_code_with_advice() -> None:
    kinds = [ActionRejected, CredentialRejected, PermissionMissing]
    kinds += [RateLimited, RemoteUnreachable, ConnectorError]

    assert {applying._code(kind("no")) for kind in kinds} == set(CALLS_OF_CONNECTORS)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["Operator", "Auditor"])
def test_all_advice_leads_to_a_page_that_whoever_looks_may_see(role: str) -> None:
    made, user = job(integration("Acme")), staff("someone", role)
    client = Client()
    client.force_login(user)
    page = f"/admin/provisioning/provisioningjob/{made.pk}/change/"

    steps = {code: next_step(code, made, user.has_perm) for code in ADVICE}
    links = {page + step.url if step.url.startswith("?") else step.url for step in steps.values() if step}
    answers = {link: client.get(link).status_code for link in links}

    assert all(step and step.sentence and step.link for step in steps.values())
    assert set(answers.values()) == {200}
    assert next_step("of a later version", made, user.has_perm) is None
