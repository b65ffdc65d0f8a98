"""Everything that can be done in the admin by sending a form or pressing a button."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry, Head
from cakewalk.models import User
from tests.admin.browser import Typed, as_shown
from tests.admin.builders import PASSWORD, Company
from tests.admin.pages import address, model_of
from tests.admin.roles import APPROVERS, KEY_HOLDERS, NONE, OPERATORS, READERS, REVIEWERS, STAFF, SUPERUSERS
from tests.directory.builders import csv_file

CREDENTIALS, USERS = "integrations.Credential", "cakewalk.User"


@dataclass(frozen=True)
class Sender:
    """Who sends a form: their primary key, and a client that is shown every form."""

    pk: int
    sees_all: Client


def _nothing(company: Company, sender: Sender) -> Typed:
    return {}


@dataclass(frozen=True)
class Deed:
    """`what` the role does on `page`. `only_shows`: it changes nothing, even for those who may; what leaves
    and who tried what is told in the ledger all the same, unless it `is_silent`.

    `typed`: what is sent. `row`, one of the company's, and `table`, of what is changed: where it is not what
    the page is named for.
    """

    what: str
    page: str
    who: frozenset[str]
    typed: Callable[[Company, Sender], Typed] = _nothing
    only_shows: bool = False
    is_silent: bool = False
    row: str = ""
    table: str = ""

    def address(self, company: Company) -> str:
        if self.row:
            return reverse(self.page, args=[company.rows[self.row].pk])
        return address(self.page, company)

    @property
    def model(self) -> type[Model]:
        return apps.get_model(self.table or ".".join(model_of(self.page)))

    @property
    def changes(self) -> str:
        return self.model._meta.label


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table as it is stored, to tell whether anything was changed. Not the sessions, and
    not the ledger, which also tells of what changes nothing: see `told_since`.
    """
    left_out = (Session, Entry, Head)
    tables = [model for model in apps.get_models(include_auto_created=True) if model not in left_out]
    return {table._meta.label: _rows(table._meta.db_table) for table in tables}


def rows_of(label: str) -> list[tuple[Any, ...]]:
    return _rows(apps.get_model(label)._meta.db_table)


def _rows(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - our own tables
        return list(cursor.fetchall())


def _confirmed(company: Company, sender: Sender) -> Typed:
    return {"post": "yes"}


def _changed(model: str, **typed: Any) -> Callable[[Company, Sender], Typed]:
    """The row's own form with something else typed into it."""

    def contents(company: Company, sender: Sender) -> Typed:
        page = address(f"admin:{model}_change", company)
        return as_shown(sender.sees_all, page, f"{model.partition('_')[2]}_form", **typed)

    return contents


def _selected(action: str, *rows: str, **more: str) -> Callable[[Company, Sender], Typed]:
    """Rows chosen in their list, and an action with them."""
    return lambda company, sender: {
        "action": action,
        "index": "0",
        "_selected_action": [company.rows[row].pk for row in rows],
        **more,
    }


def _connected(button: str, **typed: str) -> Callable[[Company, Sender], Typed]:
    return lambda company, sender: {
        "name": "Second",
        "secret": company.secret,
        "base_url": company.base_url,
        button: "1",
        **typed,
    }


def _approval(company: Company, sender: Sender) -> Typed:
    return {"reason": "They left.", "digest": company.waiting.digest, "override": ["removal_limit"]}


def _period(company: Company, sender: Sender) -> Typed:
    return {"integration": company.acme.pk, "since": "2026-01-01", "until": "2026-01-31", "sample": "5"}


def _file(company: Company, sender: Sender) -> Typed:
    content = csv_file("email,name", "new@example.org,New")
    return {"file": SimpleUploadedFile("people.csv", content), "source": "file"}


def _previewed(company: Company, sender: Sender) -> Typed:
    """The confirmation of a preview."""
    return {"digest": company.rows["an upload"].digest}


def _new_rule(company: Company, sender: Sender) -> Typed:
    return {
        "name": "New",
        "integration": company.acme.pk,
        "role": "reader",
        "state": "draft",
        "grants-TOTAL_FORMS": 1,
        "grants-INITIAL_FORMS": 0,
        "grants-0-kind": "project",
        "grants-0-name": "Search",
        "grants-0-role": "member",
    }


def _new_group_rule(company: Company, sender: Sender) -> Typed:
    return {
        "name": "sales",
        "integration": company.acme.pk,
        "state": "draft",
        "grants-TOTAL_FORMS": 1,
        "grants-INITIAL_FORMS": 0,
        "grants-0-name": "Search",
        "grants-0-role": "viewer",
    }


def _new_mark(company: Company, sender: Sender) -> Typed:
    return {
        "integration": company.acme.pk,
        "email": "new@example.org",
        "kind": "ignored",
        "reason": "A robot.",
    }


def _new_review(company: Company, sender: Sender) -> Typed:
    return {
        "name": "New",
        "integration": company.acme.pk,
        "scope": "everything",
        "default_reviewer": company.rows["reviews_campaign"].default_reviewer_id,
        "due_on": "2100-01-01",
        "remind_days": "3",
        "assignments-TOTAL_FORMS": 0,
        "assignments-INITIAL_FORMS": 0,
    }


def _changed_draft(company: Company, sender: Sender) -> Typed:
    page = reverse("admin:reviews_campaign_change", args=[company.rows["draft review"].pk])
    return as_shown(sender.sees_all, page, "campaign_form", name="Another")


def _own_line(company: Company, sender: Sender) -> Typed:
    """Of whoever sends it; of those who have none, somebody else's."""
    items = company.rows["reviews_campaign"].items
    mine = items.filter(reviewer=sender.pk).first() or items.first()
    seen_at = timezone.now().isoformat()
    return {"line": [mine.seq], "decision": "revoke", "reason": "They left.", "seen_at": seen_at}


def _other_reviewer(company: Company, sender: Sender) -> Typed:
    chief, reviewer = (User.objects.get(username=name) for name in ("chief", "reviewer"))
    return {"of": chief.pk, "to": reviewer.pk}


def _new_ldap_server(company: Company, sender: Sender) -> Typed:
    return {
        "source_name": "new",
        "flavour": "openldap",
        "url": "ldaps://x.example.org",
        "base_dn": "dc=example,dc=org",
        "pull_every_minutes": "60",
    }


def _new_user(company: Company, sender: Sender) -> Typed:
    return {
        "username": "new",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }


def _new_password(company: Company, sender: Sender) -> Typed:
    return {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}


DEEDS = (
    Deed("sync", "admin:integrations_integration_sync", OPERATORS, table="provisioning.ProvisioningJob"),
    Deed(
        "preview", "admin:integrations_integration_preview", OPERATORS, table="provisioning.ProvisioningJob"
    ),
    Deed(
        "switch the mode",
        "admin:integrations_integration_mode",
        OPERATORS,
        lambda company, sender: {"from": company.acme.mode},
    ),
    Deed(
        "preview a mode",
        "admin:integrations_integration_mode_preview",
        OPERATORS,
        table="provisioning.ProvisioningJob",
    ),
    Deed("enable", "admin:integrations_integration_enable", OPERATORS, row="idle integration"),
    Deed("disable", "admin:integrations_integration_disable", OPERATORS),
    Deed(
        "change settings",
        "admin:integrations_integration_change",
        OPERATORS,
        _changed("integrations_integration", sync_every_minutes="5"),
    ),
    Deed("test a key", "integrations:connect", OPERATORS, _connected("_test"), only_shows=True),
    Deed("connect without trying", "integrations:connect", OPERATORS, _connected("_save"), table=CREDENTIALS),
    Deed("connect", "integrations:connect", OPERATORS, _connected("_enable"), table=CREDENTIALS),
    Deed(
        "replace a credential without trying",
        "integrations:credential",
        OPERATORS,
        _connected("_save", name="Acme"),
        table=CREDENTIALS,
    ),
    Deed(
        "replace a credential",
        "integrations:credential",
        KEY_HOLDERS,
        _connected("_enable", name="Acme"),
        table=CREDENTIALS,
    ),
    Deed(
        "ask somebody for a key",
        "integrations:connect",
        OPERATORS,
        _connected("_link"),
        table="integrations.KeyLink",
    ),
    Deed(
        "ask somebody for another key",
        "integrations:credential",
        KEY_HOLDERS,
        _connected("_link", name="Acme"),
        table="integrations.KeyLink",
    ),
    Deed("revoke a link", "integrations:revoke_link", OPERATORS, table="integrations.KeyLink"),
    Deed("rotate a key", "admin:integrations_integration_rotate", KEY_HOLDERS, table="integrations.Rotation"),
    Deed("delete an integration", "admin:integrations_integration_delete", NONE, _confirmed),
    Deed("ask for evidence", "admin:evidence_evidencepack_add", READERS, _period),
    Deed("download evidence", "admin:evidence_evidencepack_download", READERS, only_shows=True),
    Deed("change evidence", "admin:evidence_evidencepack_change", NONE, _confirmed),
    Deed("delete evidence", "admin:evidence_evidencepack_delete", NONE, _confirmed),
    Deed("approve", "admin:provisioning_provisioningjob_approve", APPROVERS, _approval),
    Deed(
        "reject",
        "admin:provisioning_provisioningjob_reject",
        APPROVERS,
        lambda company, sender: {"reason": "They come back."},
    ),
    Deed(
        "run a job again",
        "admin:provisioning_provisioningjob_again",
        OPERATORS,
        row="job that took",
    ),
    Deed(
        "cancel",
        "admin:provisioning_provisioningjob_cancel",
        OPERATORS,
        lambda company, sender: {"reason": "Not now."},
    ),
    Deed(
        "release a job",
        "admin:provisioning_provisioningjob_release",
        OPERATORS,
        lambda company, sender: {"reason": "That machine is gone."},
        row="abandoned job",
    ),
    Deed(
        "restore a job",
        "admin:provisioning_provisioningjob_restore",
        OPERATORS,
        lambda company, sender: {"reason": "A wrong file."},
        row="job that took",
    ),
    Deed("write a job", "admin:provisioning_provisioningjob_add", NONE, _confirmed),
    Deed("delete a job", "admin:provisioning_provisioningjob_delete", NONE, _confirmed),
    *(
        Deed(
            f"save a search of the {what}",
            page,
            READERS,
            lambda company, sender: {"who": "ada@example.org", "save_as": "Ada", "shared": "on"},
            table="search.SavedSearch",
        )
        for what, page in (
            ("actions", "admin:provisioning_action_save"),
            ("ledger", "admin:ledger_entry_save"),
        )
    ),
    Deed(
        "delete somebody else's search",
        "admin:provisioning_action_forget",
        NONE,
        table="search.SavedSearch",
    ),
    Deed("write an entry of the ledger", "admin:ledger_entry_add", NONE, _confirmed),
    Deed("delete an entry of the ledger", "admin:ledger_entry_delete", NONE, _confirmed),
    Deed("write an action", "admin:provisioning_action_add", NONE, _confirmed),
    Deed("change an action", "admin:provisioning_action_change", NONE, _confirmed),
    Deed("delete an action", "admin:provisioning_action_delete", NONE, _confirmed),
    Deed(
        "link an account by hand",
        "admin:provisioning_account_change",
        OPERATORS,
        _changed("provisioning_account", person=""),
    ),
    Deed(
        "link an account on a job's page",
        "admin:provisioning_account_link",
        OPERATORS,
        lambda company, sender: {
            "person": company.rows["directory_person"].pk,
            "job": company.waiting.pk,
        },
    ),
    Deed("write an entitlement", "admin:provisioning_entitlement_add", NONE, _confirmed),
    Deed("change an entitlement", "admin:provisioning_entitlement_change", NONE, _confirmed),
    Deed("delete an entitlement", "admin:provisioning_entitlement_delete", NONE, _confirmed),
    Deed("write a key", "admin:provisioning_key_add", NONE, _confirmed),
    Deed("change a key", "admin:provisioning_key_change", NONE, _confirmed),
    Deed("delete a key", "admin:provisioning_key_delete", NONE, _confirmed),
    Deed("write an account", "admin:provisioning_account_add", NONE, _confirmed),
    Deed("delete an account", "admin:provisioning_account_delete", NONE, _confirmed),
    Deed("write a rule", "admin:provisioning_accessrule_add", OPERATORS, _new_rule),
    Deed(
        "change a rule",
        "admin:provisioning_accessrule_change",
        OPERATORS,
        _changed("provisioning_accessrule", role="owner", _agreed="yes"),
    ),
    Deed(
        "change what a rule gives",
        "admin:provisioning_accessrule_change",
        OPERATORS,
        _changed("provisioning_accessrule", **{"grants-0-role": "owner", "_agreed": "yes"}),
        table="provisioning.RuleGrant",
    ),
    Deed(
        "take a grant out of a rule",
        "admin:provisioning_accessrule_change",
        OPERATORS,
        _changed("provisioning_accessrule", **{"grants-0-DELETE": "on", "_agreed": "yes"}),
        table="provisioning.RuleGrant",
    ),
    Deed(
        "ask whom a rule would touch",
        "admin:provisioning_accessrule_change",
        OPERATORS,
        _changed("provisioning_accessrule", role="owner", _foresee="part"),
        only_shows=True,
        is_silent=True,
    ),
    Deed("delete a rule", "admin:provisioning_accessrule_delete", OPERATORS, _confirmed),
    *(
        Deed(
            f"{action} rules in the list",
            "admin:provisioning_accessrule_changelist",
            OPERATORS,
            _selected(action, "provisioning_accessrule", "draft rule", post="yes", _agreed="yes"),
        )
        for action in ("activate", "propose", "draft", "delete_selected")
    ),
    Deed("write a group rule", "admin:provisioning_grouprule_add", OPERATORS, _new_group_rule),
    Deed(
        "change a group rule",
        "admin:provisioning_grouprule_change",
        OPERATORS,
        _changed("provisioning_grouprule", state="draft", _agreed="yes"),
    ),
    Deed(
        "change the role of a group",
        "admin:provisioning_grouprule_change",
        OPERATORS,
        _changed("provisioning_grouprule", **{"grants-0-role": "owner", "_agreed": "yes"}),
        table="provisioning.GroupGrant",
    ),
    Deed("delete a group rule", "admin:provisioning_grouprule_delete", OPERATORS, _confirmed),
    *(
        Deed(
            f"{action} group rules in the list",
            "admin:provisioning_grouprule_changelist",
            OPERATORS,
            _selected(action, "provisioning_grouprule", "draft group rule", post="yes", _agreed="yes"),
        )
        for action in ("activate", "propose", "draft", "delete_selected")
    ),
    Deed("mark an account", "admin:provisioning_mark_add", OPERATORS, _new_mark),
    Deed(
        "change a mark",
        "admin:provisioning_mark_change",
        OPERATORS,
        _changed("provisioning_mark", kind="ignored"),
    ),
    Deed("unmark an account", "admin:provisioning_mark_delete", OPERATORS, _confirmed),
    Deed(
        "unmark accounts in the list",
        "admin:provisioning_mark_changelist",
        OPERATORS,
        _selected("delete_selected", "provisioning_mark", post="yes"),
    ),
    Deed(
        "enter a person",
        "admin:directory_person_add",
        OPERATORS,
        lambda company, sender: {"email": "new@example.org", "active": "on"},
    ),
    Deed(
        "change a person",
        "admin:directory_person_change",
        OPERATORS,
        _changed("directory_person", title="Countess"),
    ),
    *(
        Deed(
            f"export people as {kind}",
            "admin:directory_person_changelist",
            READERS,
            _selected(f"export_selected_{kind}", "directory_person"),
            only_shows=True,
        )
        for kind in ("csv", "xlsx")
    ),
    Deed("deactivate a person", "admin:directory_person_deactivate", OPERATORS),
    Deed(
        "deactivate people in the list",
        "admin:directory_person_changelist",
        OPERATORS,
        _selected("deactivate", "directory_person", confirmed="yes"),
    ),
    Deed(
        "preview a person", "admin:directory_person_preview", OPERATORS, table="provisioning.ProvisioningJob"
    ),
    Deed("sync a person", "admin:directory_person_sync", OPERATORS, table="provisioning.ProvisioningJob"),
    Deed("delete a person", "admin:directory_person_delete", NONE, _confirmed),
    Deed("upload a file", "admin:directory_person_import_people", OPERATORS, _file, table="directory.Upload"),
    Deed("import a file", "admin:directory_upload_page", OPERATORS, _previewed),
    Deed("make a group", "admin:directory_group_add", OPERATORS, lambda company, sender: {"name": "sales"}),
    Deed(
        "rename a group", "admin:directory_group_change", OPERATORS, _changed("directory_group", name="staff")
    ),
    Deed("delete a group", "admin:directory_group_delete", SUPERUSERS, _confirmed, row="spare group"),
    Deed(
        "delete groups in the list",
        "admin:directory_group_changelist",
        SUPERUSERS,
        _selected("delete_selected", "spare group", post="yes"),
    ),
    Deed(
        "rename a source", "admin:directory_source_change", OPERATORS, _changed("directory_source", name="hr")
    ),
    Deed("rotate a token", "admin:directory_source_rotate", OPERATORS, row="scim source"),
    Deed("revoke an old token", "admin:directory_source_revoke", OPERATORS, row="scim source"),
    Deed("write a conflict", "admin:directory_conflict_add", NONE, _confirmed),
    Deed("change a conflict", "admin:directory_conflict_change", NONE, _confirmed),
    Deed("delete a conflict", "admin:directory_conflict_delete", NONE, _confirmed),
    Deed("hand a person over", "admin:directory_conflict_hand_over", OPERATORS),
    Deed("dismiss a conflict", "admin:directory_conflict_dismiss", OPERATORS),
    Deed("add an LDAP server", "admin:directory_ldapserver_add", OPERATORS, _new_ldap_server),
    Deed(
        "change an LDAP server",
        "admin:directory_ldapserver_change",
        OPERATORS,
        _changed("directory_ldapserver", pull_every_minutes="5"),
    ),
    Deed("pull from an LDAP server", "admin:directory_ldapserver_pull", OPERATORS),
    Deed("delete an LDAP server", "admin:directory_ldapserver_delete", NONE, _confirmed),
    Deed("accept a smaller source", "admin:directory_source_accept", OPERATORS),
    Deed("write a source", "admin:directory_source_add", NONE, _confirmed),
    Deed("delete a source", "admin:directory_source_delete", NONE, _confirmed),
    Deed("add a user", "admin:cakewalk_user_add", SUPERUSERS, _new_user),
    Deed(
        "make a user a superuser",
        "admin:cakewalk_user_change",
        SUPERUSERS,
        _changed("cakewalk_user", is_superuser="on"),
    ),
    Deed("set a user's password", "admin:auth_user_password_change", SUPERUSERS, _new_password, table=USERS),
    Deed("delete a user", "admin:cakewalk_user_delete", NONE, _confirmed),
    Deed("add a role", "admin:auth_group_add", SUPERUSERS, lambda company, sender: {"name": "Visitors"}),
    Deed("change a role", "admin:auth_group_change", SUPERUSERS, _changed("auth_group", name="Guests")),
    Deed("delete a role", "admin:auth_group_delete", SUPERUSERS, _confirmed),
    Deed(
        "delete roles in the list",
        "admin:auth_group_changelist",
        SUPERUSERS,
        _selected("delete_selected", "auth_group", post="yes"),
    ),
    Deed(
        "choose one's own language",
        "preferences",
        STAFF,
        lambda company, sender: {"language": "de", "time_zone": ""},
        table=USERS,
    ),
    Deed(
        "change one's own password",
        "admin:password_change",
        STAFF,
        lambda company, sender: {
            "old_password": PASSWORD,
            "new_password1": f"{PASSWORD}, and new",
            "new_password2": f"{PASSWORD}, and new",
        },
        table=USERS,
    ),
    Deed("send a test", "admin:alarms_channel_test", OPERATORS, table="alarms.Delivery"),
    Deed("send a message again", "admin:alarms_delivery_replay", OPERATORS),
    Deed(
        "add a channel",
        "admin:alarms_channel_add",
        OPERATORS,
        lambda company, sender: {
            "kind": "slack",
            "name": "New",
            "new_address": "https://hooks.slack.com/services/T0/B0/x",
            "remind_after_hours": "24",
        },
    ),
    Deed(
        "change a channel",
        "admin:alarms_channel_change",
        OPERATORS,
        _changed("alarms_channel", remind_after_hours="5"),
    ),
    Deed("remove a channel", "admin:alarms_channel_delete", OPERATORS, _confirmed),
    Deed("write an alarm", "admin:alarms_alarm_add", NONE, _confirmed),
    Deed("change an alarm", "admin:alarms_alarm_change", NONE, _confirmed),
    Deed("delete an alarm", "admin:alarms_alarm_delete", NONE, _confirmed),
    Deed("write a delivery", "admin:alarms_delivery_add", NONE, _confirmed),
    Deed("change a delivery", "admin:alarms_delivery_change", NONE, _confirmed),
    Deed("delete a delivery", "admin:alarms_delivery_delete", NONE, _confirmed),
    Deed(
        "keep jobs for longer",
        "admin:retention_retention_change",
        OPERATORS,
        _changed("retention_retention", days="800"),
    ),
    Deed("add a retention", "admin:retention_retention_add", NONE, _confirmed),
    Deed("delete a retention", "admin:retention_retention_delete", NONE, _confirmed),
    Deed("write a review", "admin:reviews_campaign_add", OPERATORS, _new_review),
    Deed(
        "change a draft of a review",
        "admin:reviews_campaign_change",
        OPERATORS,
        _changed_draft,
        row="draft review",
    ),
    Deed("delete a review", "admin:reviews_campaign_delete", NONE, _confirmed),
    Deed("open a review", "admin:reviews_campaign_open", OPERATORS, row="draft review"),
    Deed(
        "finish a review",
        "admin:reviews_campaign_finish",
        OPERATORS,
        lambda company, sender: {"reason": "The quarter is over."},
    ),
    Deed(
        "cancel a review",
        "admin:reviews_campaign_cancel",
        OPERATORS,
        lambda company, sender: {"reason": "The wrong quarter."},
    ),
    Deed(
        "carry out a review",
        "admin:reviews_campaign_carry_out",
        OPERATORS,
        is_silent=True,  # until the job is there, which is asked for when this is committed
        row="finished review",
    ),
    Deed(
        "hand lines of a review over",
        "admin:reviews_campaign_hand_over",
        OPERATORS,
        _other_reviewer,
    ),
    Deed(
        "stop what is done with a review",
        "admin:reviews_campaign_stop",
        OPERATORS,
        row="review being opened",
    ),
    Deed("decide in a review", "reviews:review", REVIEWERS, _own_line, table="reviews.Item"),
    Deed("write an exception", "admin:reviews_exclusion_add", NONE, _confirmed),
    Deed("change an exception", "admin:reviews_exclusion_change", NONE, _confirmed),
    Deed("delete an exception", "admin:reviews_exclusion_delete", NONE, _confirmed),
    Deed(
        "lift an exception",
        "admin:reviews_exclusion_lift",
        OPERATORS,
        lambda company, sender: {"reason": "They are back."},
    ),
    Deed(
        "show again who one is",
        "confirm",
        STAFF,
        lambda company, sender: {"password": PASSWORD},
        only_shows=True,
    ),
    Deed("sign out everywhere else", "sign_out_elsewhere", STAFF, table=USERS),
    Deed(
        "begin to set up a second factor",
        "second_factor",
        STAFF,
        lambda company, sender: {"_begin": ""},
        is_silent=True,  # until it is set up
        table="signing_in.Authenticator",
    ),
    Deed(
        "remove the second factor of somebody",
        "admin:cakewalk_user_remove_factor",
        SUPERUSERS,
        table="signing_in.Authenticator",
    ),
    Deed("sign somebody out everywhere", "admin:cakewalk_user_sign_out", SUPERUSERS),
    Deed("sign out", "admin:logout", STAFF, only_shows=True),
)
