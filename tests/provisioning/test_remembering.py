"""What a read saw is held against what is stored, and written where it differs, whoever else writes too."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connectors.base import Account as Seen
from integrations.connectors.base import AccountState
from integrations.models import Integration
from provisioning import remembering
from provisioning.matching import Orphan
from provisioning.models import Account
from provisioning.remembering import Stored

pytestmark = pytest.mark.django_db

ADA = Seen("user-1", AccountState.ACTIVE, "ada@example.org", "reader")
INVITED = Seen("invite-1", AccountState.INVITED, "bob@example.org", "reader", expires_at=timezone.now())


@pytest.fixture
def acme() -> Integration:
    return Integration.objects.create(name="Acme", kind="openai")


def remember(acme: Integration, stored: Stored, *seen: Seen) -> None:
    findings = remembering.changed(stored, [Orphan(account) for account in seen], (), ())
    remembering.remember(acme, findings, missing=stored.unseen.keys(), missed=(), now=timezone.now())


def look(acme: Integration, *seen: Seen) -> Stored:
    return remembering.stored(acme, seen, None)


def test_what_was_written_is_like_what_was_seen(acme: Integration) -> None:
    remember(acme, look(acme, ADA, INVITED), ADA, INVITED)
    again = look(acme, ADA, INVITED)
    assert (again.are_known, list(again.fresh), again.unlike, again.unseen) == (True, [], {}, {})
    assert remembering.changed(again, [Orphan(ADA), Orphan(INVITED)], (), ()) == []


def test_a_row_that_somebody_else_has_made_meanwhile_is_filled_and_not_made_again(acme: Integration) -> None:
    stored = look(acme, ADA)
    Account.objects.create(
        integration=acme,
        remote_id=ADA.id,
        email="old@example.org",
        state="active",
        first_seen_at=timezone.now(),
        last_seen_at=timezone.now(),
    )
    remember(acme, stored, ADA)
    assert list(Account.objects.values_list("remote_id", "email")) == [(ADA.id, ADA.email)]


def test_who_was_missing_is_seen_again_and_who_had_gone_is_back(acme: Integration) -> None:
    remember(acme, look(acme, ADA, INVITED), ADA, INVITED)
    Account.objects.filter(remote_id=ADA.id).update(missing_since=timezone.now())
    Account.objects.filter(remote_id=INVITED.id).update(gone_at=timezone.now())
    stored = look(acme, ADA, INVITED)
    assert (list(stored.unlike), list(stored.fresh)) == ([ADA.id], [INVITED.id])
    remember(acme, stored, ADA, INVITED)
    assert list(Account.objects.values_list("missing_since", "gone_at")) == [(None, None)] * 2


@pytest.mark.parametrize(
    "seen",
    [
        Seen(ADA.id, ADA.state, "countess@example.org", ADA.role),
        Seen(ADA.id, ADA.state, ADA.email, "owner"),
        Seen(ADA.id, ADA.state, ADA.email, ADA.role, "Ada Byron"),
        Seen(ADA.id, ADA.state, ADA.email, ADA.role, managed_elsewhere=True),
        Seen(ADA.id, AccountState.EXPIRED, ADA.email, ADA.role),
        Seen(ADA.id, ADA.state, ADA.email, ADA.role, expires_at=timezone.now() + timedelta(days=1)),
    ],
)
def test_whatever_is_seen_otherwise_is_written(acme: Integration, seen: Seen) -> None:
    remember(acme, look(acme, ADA), ADA)
    stored = look(acme, seen)
    assert {known.email for known in stored.unlike.values()} == {ADA.email}
    remember(acme, stored, seen)
    assert look(acme, seen).unlike == {}
