"""Who may see and do what in the admin. A page or a button that is not named here makes a test fail."""

import importlib
import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group as Role
from django.db import connection
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.urls import reverse

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from tests import effort
from tests.admin.builders import Company
from tests.admin.deeds import DEEDS, Sender, everything
from tests.admin.pages import address, page_names, patterns
from tests.admin.roles import ROLES, SHOWN_TO
from tests.ledger.told import last_seq, told

WITHOUT_A_PAGE = {
    # Buttons, which are pressed and not opened.
    "admin:alarms_channel_test": 405,
    "admin:alarms_delivery_replay": 405,
    "admin:cakewalk_user_remove_factor": 405,
    "admin:cakewalk_user_sign_out": 405,
    "admin:directory_ldapserver_pull": 405,
    "admin:directory_person_deactivate": 405,
    "admin:directory_person_preview": 405,
    "admin:directory_person_sync": 405,
    "admin:directory_conflict_dismiss": 405,
    "admin:directory_conflict_hand_over": 405,
    "admin:directory_source_accept": 405,
    "admin:directory_source_revoke": 405,
    "admin:directory_source_rotate": 405,
    "admin:evidence_evidencepack_download": 405,
    "admin:integrations_integration_disable": 405,
    "admin:integrations_integration_enable": 405,
    "admin:integrations_integration_mode_preview": 405,
    "admin:integrations_integration_preview": 405,
    "admin:integrations_integration_rotate": 405,
    "admin:integrations_integration_sync": 405,
    "admin:logout": 405,
    "admin:reviews_campaign_cancel": 405,
    "admin:reviews_campaign_carry_out": 405,
    "admin:reviews_campaign_finish": 405,
    "admin:reviews_campaign_hand_over": 405,
    "admin:reviews_campaign_open": 405,
    "admin:reviews_campaign_stop": 405,
    "admin:reviews_exclusion_lift": 405,
    "integrations:revoke_link": 405,
    "sign_out_elsewhere": 405,
    "admin:ledger_entry_save": 405,
    "admin:provisioning_account_link": 405,
    "admin:provisioning_action_forget": 405,
    "admin:provisioning_action_save": 405,
    "admin:provisioning_provisioningjob_again": 405,
    "admin:provisioning_provisioningjob_approve": 405,
    "admin:provisioning_provisioningjob_cancel": 405,
    "admin:provisioning_provisioningjob_reject": 405,
    "admin:provisioning_provisioningjob_release": 405,
    "admin:provisioning_provisioningjob_restore": 405,
    # To the catalog, and home.
    "admin:integrations_integration_add": 302,
    "admin:login": 302,
    "sign_in_code": 302,
    # Without a provider of single sign-on.
    "oidc_confirm": 404,
    "oidc_link": 404,
    # Nothing here has a page on another site.
    "admin:view_on_site": 404,
}
"""What everybody who is signed in is answered there."""

NAMES = page_names()
LISTS_WITH_ACTIONS = {"accessrule", "grouprule", "mark", "person", "group", "user"}


def refusal(page: str) -> int:
    """An application of which one may see nothing does not exist; every other page says no."""
    return 404 if page == "admin:app_list" else 403


def test_each_page_is_shown_to_nobody_but_whom_it_is_meant_for(
    company: Company, clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is shown to those is asked in `test_pages`, which also looks at what it shows them."""
    if not effort.SOAK:  # hundreds of answers, whose contents are for other tests
        monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")
    refused = [(name, role) for name in NAMES for role in ROLES if role not in SHOWN_TO[name]]

    answers = {(name, role): clients[role].get(address(name, company)).status_code for name, role in refused}

    assert set(NAMES) == set(SHOWN_TO)
    assert answers == {(name, role): WITHOUT_A_PAGE.get(name, refusal(name)) for name, role in refused}


def test_addresses_without_a_name_lead_nowhere_of_their_own(
    company: Company, clients: dict[str, Client]
) -> None:
    unnamed = [route for route, name in patterns() if name is None]

    assert all(
        re.fullmatch(r"admin/\w+/\w+/<path:object_id>/|admin/\(\?P<url>\.\*\)\$", route) for route in unnamed
    )
    assert clients["superuser"].get("/admin/nowhere/").status_code == 404
    assert (
        clients["nobody"].get("/admin/directory/person/1/")["Location"] == "/admin/directory/person/1/change/"
    )


@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_are_sent_to_the_login_and_change_nothing(company: Company, method: str) -> None:
    before = everything()

    led_to = {
        name: getattr(Client(), method)(address(name, company)) for name in NAMES if name != "admin:login"
    }

    assert {name: answer.status_code for name, answer in led_to.items()} == dict.fromkeys(led_to, 302)
    assert {
        answer["Location"].partition("?")[0] for name, answer in led_to.items() if name != "admin:logout"
    } == {reverse("admin:login")}
    assert everything() == before


def test_people_who_are_not_staff_or_no_longer_active_are_strangers(company: Company) -> None:
    for username, standing in (("visitor", {"is_staff": False}), ("former", {"is_active": False})):
        client = Client()
        user = User.objects.create(username=username, is_superuser=True, **{"is_staff": True, **standing})
        client.force_login(user)
        assert client.get(reverse("admin:index")).status_code == 302


def test_every_button_and_every_action_in_a_list_is_named_among_the_deeds(
    company: Company, clients: dict[str, Client]
) -> None:
    pages = {deed.page for deed in DEEDS}
    buttons = {name for name, status in WITHOUT_A_PAGE.items() if status == 405}
    forms = {name for name in NAMES if name.endswith(("_add", "_change", "_delete", "_password_change"))}
    offered = set()
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        form = clients["superuser"].get(reverse(name)).context.get("action_form")
        chosen = form.fields["action"].choices if form else []
        offered |= {(name, action) for action, _ in chosen if action}
    request = Sender(1, clients["superuser"])
    named = {
        (deed.page, deed.typed(company, request)["action"])
        for deed in DEEDS
        if deed.page.endswith("changelist")
    }

    assert buttons <= pages
    assert forms - pages == {
        "admin:integrations_integration_add",  # leads to the catalog
        "admin:ledger_entry_change",  # has no form, nor has this
        "admin:provisioning_provisioningjob_change",
    }
    assert offered == named


def test_an_empty_form_changes_nothing(company: Company, clients: dict[str, Client]) -> None:
    before, since = everything(), last_seq()
    buttons = {name for name, status in WITHOUT_A_PAGE.items() if status == 405}

    for name in set(NAMES) - buttons - {"admin:provisioning_account_change"}:  # there it says: nobody's
        clients["superuser"].post(address(name, company))

    assert everything() == before
    assert {verb for _, verb in told(since)} == {Verb.EXPORT_BEGUN, Verb.EXPORTED}


@pytest.mark.django_db
def test_the_roles_come_with_the_migrations_and_go_with_the_first() -> None:
    retention = importlib.import_module("provisioning.retention.migrations.0002_rows_and_roles")
    migration, groups, *later = (
        importlib.import_module(f"provisioning.{name}")
        for name in (
            "migrations.0002_roles",
            "migrations.0015_group_rules",
            "migrations.0008_entitlements",
            "migrations.0013_keys",
            "migrations.0016_conflicts",
            "search.migrations.0003_roles",
        )
    )
    key_holders = importlib.import_module("provisioning.migrations.0028_key_holder")
    alarms = importlib.import_module("provisioning.alarms.migrations.0002_roles")
    later.append(importlib.import_module("provisioning.evidence.migrations.0002_roles"))
    reviewers = importlib.import_module("provisioning.reviews.migrations.0002_roles")
    names = {"Auditor", "Operator", "Approver", "Reviewer", "Key holder"}
    roles = Role.objects.filter(name__in=names)
    before = {role.name: set(role.permissions.values_list("codename", flat=True)) for role in roles}

    Role.objects.create(name="Of our own")
    migration.remove_roles(apps, connection.schema_editor())
    reviewers.remove_role(apps, connection.schema_editor())
    key_holders.remove_role(apps, connection.schema_editor())
    assert [role.name for role in Role.objects.all()] == ["Of our own"]

    for _ in range(2):
        migration.make_roles(apps, connection.schema_editor())
        for one in (groups, retention):
            one.give_to_roles(apps, connection.schema_editor())
        for one in later:
            one.show_to_every_role(apps, connection.schema_editor())
        alarms.give_to_roles(apps, connection.schema_editor())
        reviewers.give_to_roles(apps, connection.schema_editor())
        key_holders.give_to_roles(apps, connection.schema_editor())
    after = {role.name: set(role.permissions.values_list("codename", flat=True)) for role in roles.all()}
    assert set(before) == names
    assert after == before


@pytest.mark.django_db
def test_no_role_may_manage_users_and_roles() -> None:
    given = Role.objects.values_list("permissions__content_type__app_label", flat=True)

    ours = {
        "alarms",
        "directory",
        "evidence",
        "integrations",
        "ledger",
        "provisioning",
        "retention",
        "reviews",
    }
    assert set(given) == ours


@pytest.mark.django_db
def test_an_auditor_holds_nothing_but_the_right_to_look() -> None:
    held = Role.objects.get(name="Auditor").permissions.values_list("codename", flat=True)

    assert {codename.partition("_")[0] for codename in held} == {"add", "export", "view"}
    assert [codename for codename in held if codename.startswith("add_")] == ["add_evidencepack"]
