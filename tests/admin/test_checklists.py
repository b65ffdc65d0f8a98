"""What a job's page says of who was removed, and of what they left behind."""

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.admin.checklists import Checklist, checklists
from provisioning.models import ProvisioningJob
from tests.admin.builders import action, integration, job

LAPTOP = {"kind": "project key", "id": "proj_1/key_1", "name": "laptop"}
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
        ["Removed from the organization", "No key of theirs is on the 2 lists that were read"],
        True,
    )


def test_a_list_stays_open_until_the_sweep(db: None) -> None:
    assert told(removal()) == (
        ["Removed from the organization", "Its keys have not been looked for yet; the next sync does"],
        False,
    )


def test_a_revoked_key_is_closed_when_a_read_has_shown_it(db: None) -> None:
    swept = removal(SWEPT)
    key(swept, confirmed_at=timezone.now())
    assert told(swept) == (
        ["Removed from the organization", "Project key laptop for the project Search: revoked"],
        True,
    )


def test_what_is_left_as_it_is_or_could_not_be_done_says_why(db: None) -> None:
    swept = removal(SWEPT | {"unread": ["Admin keys could not be looked for."]})
    key(swept, "report")
    key(swept, "revoke_key", "failed", error={"code": "rejected", "detail": "OpenAI refused this."})
    assert told(swept) == (
        [
            "Removed from the organization",
            "Project key laptop for the project Search: reported, and left as it is",
            "Project key laptop for the project Search: failed. OpenAI refused this.",
            "Admin keys could not be looked for.",
        ],
        False,
    )


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
    assert "No key of theirs is on the 2 lists that were read" in html
