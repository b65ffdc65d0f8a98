"""What a job's page says of who was removed, and of what they left behind."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.admin.checklists import Checklist, checklists
from provisioning.models import Key, ProvisioningJob
from tests.admin.builders import action, integration, job

LAPTOP = {"kind": "project key", "id": "proj_1/key_1", "name": "laptop"}
REMOVED = "Removed from the organization, with all that the account held"
PLACE = {"key": "laptop", "place": "the project Search"}
SWEPT = {"accounts": ["user-1"], "listings": [{}, {}], "unread": [], "digest": ""}


def removal(swept: dict[str, object] | None = None) -> ProvisioningJob:
    made = job(integration("Acme"), swept=swept)
    action(made, "remove", confirmed_at=timezone.now())
    return made


def key(of: ProvisioningJob, kind: str = "revoke_key", state: str = "done", **more: object) -> None:
    about = {"entitlement": LAPTOP, "before": PLACE, "situation": "left_behind"}
    action(of, kind, state, **about | more)


def told(of: ProvisioningJob) -> tuple[list[str], bool]:
    [found] = checklists(of)
    return [item.text for item in found.items], found.is_closed


def test_a_sweep_that_found_nothing_closes_the_list(db: None) -> None:
    assert told(removal(SWEPT)) == (
        [REMOVED, "No key of theirs is on the 2 lists that were read to their end"],
        True,
    )


def test_a_list_stays_open_until_the_sweep(db: None) -> None:
    assert told(removal()) == (
        [REMOVED, "Its keys have not been looked for yet; the next sync does"],
        False,
    )


def test_a_revoked_key_is_closed_when_a_read_has_shown_it(db: None) -> None:
    swept = removal(SWEPT)
    key(swept, confirmed_at=timezone.now())
    assert told(swept) == (
        [REMOVED, "Project key laptop for the project Search: revoked"],
        True,
    )


def test_what_is_left_as_it_is_or_could_not_be_done_says_why(db: None) -> None:
    swept = removal(SWEPT | {"unread": ["Admin keys could not be looked for."]})
    key(swept, "report")
    key(swept, "revoke_key", "failed", error={"code": "rejected", "detail": "OpenAI refused this."})
    assert told(swept) == (
        [
            REMOVED,
            "Project key laptop for the project Search: reported, and still to be revoked by hand",
            "Project key laptop for the project Search: failed. OpenAI refused this.",
            "Admin keys could not be looked for.",
        ],
        False,
    )


@pytest.mark.parametrize(("kind", "state"), [("report", "done"), ("revoke_key", "failed")])
def test_a_key_that_others_have_revoked_is_closed_when_a_read_has_found_it_gone(
    db: None, kind: str, state: str
) -> None:
    swept, now = removal(SWEPT), timezone.now()
    key(swept, kind, state)
    kept = Key.objects.create(
        integration=swept.integration,
        kind=LAPTOP["kind"],
        remote_id=LAPTOP["id"],
        first_seen_at=now,
        last_seen_at=now,
    )
    assert not told(swept)[1]
    Key.objects.filter(pk=kept.pk).update(gone_at=now)
    assert told(swept) == ([REMOVED, "Project key laptop for the project Search: revoked by others"], True)
    assert checklists(swept)[0].items[1].seen_at == now


def test_service_accounts_without_a_person_have_a_list_of_their_own(db: None) -> None:
    swept = removal(SWEPT | {"unread": ["Admin keys could not be looked for."]})
    for sentence in ("Admin keys could not be looked for.", "In the project Search nobody is left."):
        key(swept, "report", account_id=None, email="", entitlement=None, before=None, detail=sentence)
    _, robots = checklists(swept)
    assert (robots.about, robots.is_closed) == ("Service accounts without a person", False)
    assert [item.text for item in robots.items] == ["In the project Search nobody is left."]


def test_a_removal_that_no_read_has_shown_is_open(db: None) -> None:
    made = job(integration("Acme"), swept=SWEPT)
    action(made, "remove")
    [found] = checklists(made)
    assert isinstance(found, Checklist)
    assert not found.is_closed


def test_the_page_shows_the_list(clients: dict[str, Client]) -> None:
    swept = removal(SWEPT)
    page = reverse("admin:provisioning_provisioningjob_change", args=[swept.pk])
    html = clients["auditor"].get(page).content.decode()
    assert "Who was removed, and what they left behind" in html
    assert "No key of theirs is on the 2 lists that were read to their end" in html
