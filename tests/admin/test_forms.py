"""What the forms refuse: they say it beside the field, keep what was typed, and change nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group as Role
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.models import Person
from integrations.connectors.openai.simulator import Simulator
from integrations.models import Integration
from provisioning.models import AccessRule, RuleGrant
from tests.admin.browser import Typed, as_shown, forms, said
from tests.admin.builders import Company, integration, mark, rule
from tests.admin.deeds import everything
from tests.admin.pages import address
from tests.admin.roles import AUDITOR, OPERATOR, SUPERUSER
from tests.directory.builders import directory, person

pytestmark = pytest.mark.django_db

HIDDEN = re.compile(r"_FORMS$|-id$|-rule$")
"""What a form of several rows sends besides what is typed."""


@pytest.fixture
def operator(clients: dict[str, Client]) -> Client:
    return clients[OPERATOR]


@pytest.fixture
def acme(db: None) -> Integration:
    return integration("Acme")


def problems(client: Client, page: str, typed: Typed) -> dict[str, list[str]]:
    """By field. Whatever they are, nothing was changed and the form still holds what was typed."""
    before = everything()
    answer = client.post(page, typed)
    assert answer.status_code == 200
    assert everything() == before
    html = answer.content.decode()
    [shown] = [form for name, form in forms(answer).items() if name.endswith("_form")]
    kept = {name: value for name, value in typed.items() if name in shown}
    assert {name: value for name, value in kept.items() if shown[name] not in (value, [str(value)])} == {}
    found = dict(answer.context["adminform"].form.errors)
    for inline in answer.context["inline_admin_formsets"]:
        for form in inline.formset.forms:
            found |= {form.add_prefix(name): told for name, told in form.errors.items()}
    assert "__all__" not in found
    for told in (sentence for sentences in found.values() for sentence in sentences):
        assert escaped(told) in html
    return {name: list(sentences) for name, sentences in found.items()}


def escaped(sentence: str) -> str:
    return sentence.replace("&", "&amp;").replace("'", "&#x27;").replace('"', "&quot;")


# -- access rules


ADD_RULE = "/admin/provisioning/accessrule/add/"


def new_rule(acme: Integration, *grants: tuple[str, str, str], **typed: Any) -> Typed:
    entered: Typed = {"name": "New", "integration": acme.pk, "group": "", "role": "reader", "state": "draft"}
    entered |= {"grants-TOTAL_FORMS": len(grants), "grants-INITIAL_FORMS": 0}
    for place, (kind, name, role) in enumerate(grants):
        entered |= {
            f"grants-{place}-kind": kind,
            f"grants-{place}-name": name,
            f"grants-{place}-role": role,
        }
    return entered | typed


def test_a_rule_with_its_grants_is_entered_in_one_go(operator: Client, acme: Integration) -> None:
    operator.post(ADD_RULE, new_rule(acme, ("project", "Search", "owner"), ("group", "platform", "member")))

    made = AccessRule.objects.get()
    assert (made.name, made.role, made.state) == ("New", "reader", "draft")
    assert sorted(str(grant) for grant in made.grants.all()) == [
        "group platform as member",
        "project Search as owner",
    ]


def test_a_rule_gives_only_roles_that_the_connector_knows(operator: Client, acme: Integration) -> None:
    found = problems(operator, ADD_RULE, new_rule(acme, role="admin"))

    assert set(found) == {"role"}
    assert found["role"][0] == "Select a valid choice. admin is not one of the available choices."


def test_a_new_rule_gives_no_group_with_the_role_of_a_project(operator: Client, acme: Integration) -> None:
    found = problems(operator, ADD_RULE, new_rule(acme, ("group", "platform", "owner")))

    assert found == {"grants-0-role": ["Choose one of: member."]}


def test_a_rule_has_projects_and_groups_made_and_nothing_else(operator: Client, acme: Integration) -> None:
    asked = {"grants-0-create": "on", "grants-1-create": "on"}
    given = (("project", "Search", "member"), ("role", "Key auditor", "holder"))
    assert problems(operator, ADD_RULE, new_rule(acme, *given, **asked)) == {
        "grants-1-create": ["A role cannot be made here."]
    }

    operator.post(ADD_RULE, new_rule(acme, *given, **{"grants-0-create": "on"}))
    assert {grant.name: grant.create for grant in AccessRule.objects.get().grants.all()} == {
        "Search": True,
        "Key auditor": False,
    }


def test_a_role_that_was_left_as_the_row_began_is_that_of_the_kind(
    operator: Client, acme: Integration
) -> None:
    """A custom role is held in one way only, and that is not the first choice of a project."""
    operator.post(ADD_RULE, new_rule(acme, ("role", "Key auditor", "member")))

    assert [str(grant) for grant in AccessRule.objects.get().grants.all()] == ["role Key auditor as holder"]


def test_a_rule_that_is_there_gives_no_group_with_the_role_of_a_project(
    operator: Client, acme: Integration
) -> None:
    page = reverse("admin:provisioning_accessrule_change", args=[rule(acme).pk])
    typed = as_shown(
        operator, page, "accessrule_form", **{"grants-0-kind": "group", "grants-0-role": "owner"}
    )

    assert problems(operator, page, typed) == {"grants-0-role": ["Choose one of: member."]}


def test_a_rule_gives_a_project_once(operator: Client, acme: Integration) -> None:
    twice = (("project", "Search", "member"), ("project", "SEARCH", "owner"))

    assert problems(operator, ADD_RULE, new_rule(acme, *twice)) == {
        "grants-1-name": ["The rule gives the project SEARCH twice."]
    }


def test_a_project_and_a_group_may_have_one_name(operator: Client, acme: Integration) -> None:
    operator.post(ADD_RULE, new_rule(acme, ("project", "Search", "member"), ("group", "Search", "member")))

    assert RuleGrant.objects.count() == 2


def test_what_a_rule_gives_already_is_not_added_to_it(operator: Client, acme: Integration) -> None:
    there = rule(acme)
    page = reverse("admin:provisioning_accessrule_change", args=[there.pk])
    more = {
        "grants-TOTAL_FORMS": "2",
        "grants-1-rule": str(there.pk),
        "grants-1-kind": "project",
        "grants-1-name": "project 0",
        "grants-1-role": "member",
    }

    assert problems(operator, page, as_shown(operator, page, "accessrule_form", **more)) == {
        "grants-1-name": ["The rule gives the project project 0 twice."]
    }


def test_two_rules_of_an_integration_have_two_names(operator: Client, acme: Integration) -> None:
    rule(acme, "Engineers")
    other = integration("Other")

    assert problems(operator, ADD_RULE, new_rule(acme, name="ENGINEERS")) == {
        "name": ["Acme already has a rule named ENGINEERS."]
    }
    assert operator.post(ADD_RULE, new_rule(other, name="ENGINEERS")).status_code == 302


def test_a_grant_without_a_name_gives_nothing(operator: Client, acme: Integration) -> None:
    found = problems(operator, ADD_RULE, new_rule(acme, ("project", "", "owner")))

    assert found == {"grants-0-name": ["This field is required."]}


# -- marks


ADD_MARK = "/admin/provisioning/mark/add/"


def new_mark(acme: Integration, **typed: Any) -> Typed:
    return {
        "integration": acme.pk,
        "email": "vip@example.org",
        "kind": "protected",
        "reason": "Agreed.",
        **typed,
    }


def test_an_account_is_marked_once(operator: Client, acme: Integration) -> None:
    mark(acme, "vip@example.org")

    assert problems(operator, ADD_MARK, new_mark(acme, email="VIP@Example.ORG", kind="ignored")) == {
        "email": ["VIP@Example.ORG is already marked in Acme."]
    }
    assert operator.post(ADD_MARK, new_mark(integration("Other"))).status_code == 302


def test_a_mark_ends_today_or_later(operator: Client, acme: Integration) -> None:
    today = timezone.localdate()

    assert problems(operator, ADD_MARK, new_mark(acme, until=(today - timedelta(days=1)).isoformat())) == {
        "until": ["This day is over, so the mark would set nothing apart."]
    }
    assert operator.post(ADD_MARK, new_mark(acme, until=today.isoformat())).status_code == 302


@pytest.mark.parametrize("missing", ["integration", "email", "kind", "reason"])
def test_a_mark_says_whom_where_how_and_why(operator: Client, acme: Integration, missing: str) -> None:
    assert problems(operator, ADD_MARK, new_mark(acme, **{missing: ""})) == {
        missing: ["This field is required."]
    }


# -- people and groups


ADD_PERSON = "/admin/directory/person/add/"


def new_person(**typed: str) -> Typed:
    return {"email": "new@example.org", "name": "New", "active": "on", "aliases": "", **typed}


@pytest.mark.parametrize("taken", ["ada@example.org", "ADA@Example.org", "a.l@example.org"])
def test_an_address_belongs_to_one_person(operator: Client, taken: str) -> None:
    person("ada@example.org", aliases=("a.l@example.org",))
    sentence = f"{taken} already belongs to ada@example.org of source 'file'."

    assert problems(operator, ADD_PERSON, new_person(email=taken)) == {"email": [sentence]}
    assert problems(operator, ADD_PERSON, new_person(aliases=f"x@example.org, {taken}")) == {
        "aliases": [sentence]
    }


def test_an_alias_is_an_e_mail_address(operator: Client) -> None:
    assert problems(operator, ADD_PERSON, new_person(aliases="n@example.org, nobody")) == {
        "aliases": ["nobody is not an e-mail address."]
    }


def test_nobody_leaves_before_they_begin(operator: Client) -> None:
    typed = new_person(start_date="2026-02-02", end_date="2026-02-01")

    assert problems(operator, ADD_PERSON, typed) == {"end_date": ["The end date is before the start date."]}
    assert operator.post(ADD_PERSON, typed | {"end_date": "2026-02-02"}).status_code == 302


def test_a_date_is_a_date(operator: Client) -> None:
    assert problems(operator, ADD_PERSON, new_person(start_date="soon")) == {
        "start_date": ["Enter a valid date."]
    }


def test_a_persons_days_begin_and_end_in_a_zone_that_there_is(operator: Client) -> None:
    assert "time_zone" in problems(operator, ADD_PERSON, new_person(time_zone="Europe/Cakewalk"))
    assert operator.post(ADD_PERSON, new_person(time_zone="Europe/Berlin")).status_code == 302
    assert Person.objects.get().time_zone == "Europe/Berlin"


def test_a_person_who_is_there_takes_no_address_of_another(operator: Client) -> None:
    person("ada@example.org")
    page = reverse("admin:directory_person_change", args=[person("bob@example.org").pk])

    typed = as_shown(operator, page, "person_form", email="ada@example.org")

    assert problems(operator, page, typed) == {
        "email": ["ada@example.org already belongs to ada@example.org of source 'file'."]
    }


def test_a_person_keeps_their_own_addresses(operator: Client) -> None:
    ada = person("ada@example.org", aliases=("a.l@example.org",), groups=("engineering",))
    page = reverse("admin:directory_person_change", args=[ada.pk])

    operator.post(page, as_shown(operator, page, "person_form", email="a.l@example.org", aliases=""))

    assert directory() == {
        "a.l@example.org": {
            "name": "",
            "active": True,
            "groups": ["engineering"],
            "addresses": ["a.l@example.org"],
            "source": "file",
        }
    }


def test_a_group_has_a_name_of_its_own(operator: Client) -> None:
    person("ada@example.org", groups=("engineering",))

    assert problems(operator, "/admin/directory/group/add/", {"name": "Engineering"}) == {
        "name": ["There is already a group named Engineering."]
    }


# -- settings of an integration


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("removal_limit_percent", "101", "Ensure this value is less than or equal to 100."),
        ("removal_limit_percent", "-1", "Ensure this value is greater than or equal to 0."),
        ("removal_limit_count", "-1", "Ensure this value is greater than or equal to 0."),
        ("removal_limit_count", "many", "Enter a whole number."),
        ("vanished_percent", "101", "Ensure this value is less than or equal to 100."),
        ("sync_every_minutes", "0", "Ensure this value is greater than or equal to 1."),
        ("sync_every_minutes", "10081", "Ensure this value is less than or equal to 10080."),
        ("plan_valid_hours", "0", "Ensure this value is greater than or equal to 1."),
        ("plan_valid_hours", "721", "Ensure this value is less than or equal to 720."),
        ("minimum_owners", "0", "Ensure this value is greater than or equal to 1."),
        ("managed_domains", "example.org b@c", "'b@c' is not an e-mail domain such as example.org."),
        ("name", "", "This field is required."),
        ("name", "OTHER", "There is already an integration named OTHER."),
    ],
)
def test_settings_out_of_range_are_refused(
    operator: Client, acme: Integration, setting: str, value: str, sentence: str
) -> None:
    integration("Other")
    page = reverse("admin:integrations_integration_change", args=[acme.pk])

    typed = as_shown(operator, page, "integration_form", **{setting: value})

    assert problems(operator, page, typed) == {setting: [sentence]}


def test_settings_sent_back_as_shown_stay_as_they_are(operator: Client, acme: Integration) -> None:
    page = reverse("admin:integrations_integration_change", args=[acme.pk])
    before = Integration.objects.values().get(pk=acme.pk)

    operator.post(page, as_shown(operator, page, "integration_form"))

    assert Integration.objects.values().get(pk=acme.pk) == before


def test_the_address_of_a_remote_is_not_changed_with_its_settings(
    operator: Client, acme: Integration
) -> None:
    """Or else the stored key could be sent to a host of somebody's choice."""
    page = reverse("admin:integrations_integration_change", args=[acme.pk])

    operator.post(page, as_shown(operator, page, "integration_form", base_url="https://elsewhere.example/v1"))

    assert Integration.objects.get(pk=acme.pk).base_url == acme.base_url


# -- connecting


CONNECT = "/admin/integrations/connect/openai/"


def told(answer: Any) -> dict[str, list[str]]:
    return {name: list(sentences) for name, sentences in answer.context["form"].errors.items()}


@pytest.mark.parametrize("button", ["_enable", "_save", "_test"])
def test_a_project_key_is_refused_at_once(operator: Client, simulator: Simulator, button: str) -> None:
    before = everything()
    typed = {"name": "Acme", "secret": f"sk-proj-{'a' * 40}", "base_url": simulator.base_url, button: "1"}

    answer = operator.post(CONNECT, typed)

    [sentence] = told(answer)["secret"]
    assert sentence.startswith("This is a project key, and it cannot manage members.")
    assert escaped(sentence) in answer.content.decode()
    assert simulator.requests == []
    assert everything() == before


def test_a_key_that_the_remote_does_not_know_is_not_stored(operator: Client, simulator: Simulator) -> None:
    before = everything()
    typed = {"name": "Acme", "secret": f"sk-admin-{'a' * 40}", "base_url": simulator.base_url}

    answer = operator.post(CONNECT, typed | {"_enable": "1"})

    assert set(told(answer)) == {"secret"}
    assert "The connection does not work, and nothing was stored." in answer.content.decode()
    assert everything() == before


def test_a_name_that_is_taken_keeps_what_else_was_typed(company: Company, operator: Client) -> None:
    before = everything()
    typed = {"name": "ACME", "secret": company.secret, "base_url": company.base_url, "_enable": "1"}

    answer = operator.post(CONNECT, typed)

    shown = forms(answer)["connect-form"]
    assert told(answer) == {"name": ["There is already an integration named ACME."]}
    assert (shown["name"], shown["base_url"], shown["secret"]) == (["ACME"], [company.base_url], [""])
    assert "paste it again" in answer.content.decode()
    assert everything() == before


def test_a_stored_key_is_not_sent_to_another_address(company: Company, operator: Client) -> None:
    page = reverse("integrations:credential", args=[company.acme.pk])
    before = everything()

    answer = operator.post(page, {"name": "Acme", "base_url": "http://127.0.0.1:9/v1", "_test": "1"})

    [sentence] = told(answer)["secret"]
    assert "a stored one is never sent elsewhere" in sentence
    assert everything() == before


def test_no_connector_of_that_kind(operator: Client) -> None:
    assert operator.get("/admin/integrations/connect/unheard-of/").status_code == 404


def test_the_log_says_who_entered_a_key_and_never_which(company: Company, operator: Client) -> None:
    typed = {"name": "Second", "secret": company.secret, "base_url": company.base_url, "_save": "1"}
    operator.post(CONNECT, typed)
    second = Integration.objects.get(name="Second")

    operator.post(reverse("integrations:credential", args=[second.pk]), typed)
    operator.post(reverse("admin:integrations_integration_enable", args=[second.pk]))
    operator.post(reverse("admin:integrations_integration_disable", args=[second.pk]))

    assert list(Entry.objects.about(second).order_by("seq").values_list("actor", "verb")) == [
        ("operator", Verb.ADDED),
        ("operator", Verb.CREDENTIAL_ENTERED),
        ("operator", Verb.CREDENTIAL_ENTERED),
        ("operator", Verb.CREDENTIAL_READ),  # to test it
        ("operator", Verb.CREDENTIAL_TESTED),
        ("operator", Verb.ENABLED),
        ("operator", Verb.DISABLED),
    ]
    assert not [entry for entry in Entry.objects.all() if company.secret[:-4] in entry.body]


def test_a_key_that_no_longer_works_enables_nothing(company: Company, operator: Client) -> None:
    idle = company.rows["idle integration"]
    idle.store_credential(f"sk-admin-{'a' * 40}", now=timezone.now())
    before = everything()

    answer = operator.post(reverse("admin:integrations_integration_enable", args=[idle.pk]))

    [sentence] = said(answer)
    assert sentence.startswith("Idle is not enabled. ")
    assert everything() == before


# -- users and roles


def test_a_role_sent_back_as_shown_loses_nothing(clients: dict[str, Client]) -> None:
    for role in Role.objects.all():
        page = reverse("admin:auth_group_change", args=[role.pk])
        before = set(role.permissions.values_list("pk", flat=True))

        clients[SUPERUSER].post(page, as_shown(clients[SUPERUSER], page, "group_form"))

        assert set(role.permissions.values_list("pk", flat=True)) == before


def test_somebody_who_may_only_look_sees_no_field_to_type_into(
    company: Company, clients: dict[str, Client]
) -> None:
    for model, row in company.rows.items():
        if model.startswith(("directory_", "integrations_", "provisioning_")):
            shown = forms(clients[AUDITOR].get(reverse(f"admin:{model}_change", args=[row.pk])))
            fields = {field for name, form in shown.items() if name.endswith("_form") for field in form}
            assert {field for field in fields if not HIDDEN.search(field)} == set()


def test_a_grant_that_is_added_in_the_browser_starts_as_the_model_does(clients: dict[str, Client]) -> None:
    """A lower role among the choices must not become what everybody gets by leaving the form as it is."""
    answer = clients["operator"].get(reverse("admin:provisioning_accessrule_add"))
    [formset] = answer.context["inline_admin_formsets"]
    empty = formset.formset.empty_form
    assert (empty["kind"].value(), empty["role"].value()) == ("project", "member")


def test_deleting_a_role_names_those_who_lose_it(company: Company, clients: dict[str, Client]) -> None:
    page = clients["superuser"].get(address("admin:auth_group_delete", company)).content.decode()
    assert "guest loses it" not in page
    company.rows["auth_group"].user_set.add(User.objects.get(username="guest"))
    page = clients["superuser"].get(address("admin:auth_group_delete", company)).content.decode()
    assert "guest loses it" in page
    assert "Group_permissions" not in page
