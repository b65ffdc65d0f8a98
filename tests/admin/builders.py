"""Staff with their roles, and an installation that has something on every page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import cycle
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.utils import timezone

from cakewalk.encryption import Secret
from cakewalk.ledger.actors import Actor, Kind
from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in.models import Authenticator
from directory.models import Conflict, Group, LdapServer, Membership, PersonEmail, Pull, Source, Upload
from integrations.models import Integration, KeyLink
from provisioning import uploads
from provisioning.alarms import watching
from provisioning.alarms.models import Alarm, Channel, Delivery
from provisioning.evidence import making
from provisioning.evidence.models import EvidencePack
from provisioning.evidence.ordering import order
from provisioning.history import digest_of
from provisioning.models import (
    AccessRule,
    Account,
    Action,
    Entitlement,
    GroupGrant,
    GroupRule,
    Key,
    Mark,
    ProvisioningJob,
    RuleGrant,
)
from provisioning.retention.models import Retention
from provisioning.reviews.models import Assignment, Campaign, Exclusion, Item, Reminder
from provisioning.search.models import SavedSearch
from tests.directory.builders import NOW, csv_file, person, source

State = ProvisioningJob.State

SEARCH = {"kind": "project", "id": "proj_search", "name": "Search"}
READER = {"state": "active", "role": "reader", "projects": [{"name": "Search", "role": "member"}]}

ACTIONS: dict[str, dict[str, Any]] = {
    "invite": {"role": "reader", "after": {"role": "reader", "projects": []}, "new_account_id": "invite-9"},
    "withdraw_invite": {"account_id": "invite-1", "before": READER, "taking": True},
    "change_role": {"account_id": "user-1", "role": "owner", "before": READER, "after": {"role": "owner"}},
    "remove": {"account_id": "user-1", "situation": "leaver", "before": READER, "taking": True},
    "grant": {"account_id": "user-1", "role": "member", "entitlement": SEARCH, "after": {"role": "member"}},
    "change_grant": {
        "account_id": "user-1",
        "role": "owner",
        "entitlement": SEARCH,
        "before": {"role": "member"},
        "after": {"role": "owner"},
    },
    "revoke": {"account_id": "user-1", "entitlement": SEARCH, "before": {"role": "member"}, "taking": True},
    "revoke_key": {
        "account_id": "user-1",
        "situation": "left_behind",
        "entitlement": {"kind": "project key", "id": "proj_search/key_1", "name": "laptop"},
        "before": {"key": "laptop", "place": "the project Search"},
        "detail": "A project key for the project Search, never used.",
        "taking": True,
    },
    "create": {
        "situation": "missing",
        "entitlement": {"kind": "project", "id": "", "name": "Voice"},
        "new_account_id": "proj_voice",
    },
    "report": {"account_id": "user-1", "situation": "orphan", "before": READER, "detail": "Nobody's."},
}
"""What an action of each kind holds beside its subject."""

PROBLEM = {"code": "removal_limit", "detail": "7 of 20 accounts would lose access, the limit is 3"}


PASSWORD = "a long enough passphrase"
LDAP_PASSWORD = "the s3cret of the directory"


def staff(username: str, *roles: str, **more: Any) -> User:
    user = User.objects.create(
        username=username,
        email=f"{username}@example.org",
        password=make_password(PASSWORD),
        **{"is_staff": True, **more},
    )
    user.groups.set([Role.objects.get(name=role) for role in roles])
    return user


def integration(
    name: str = "Acme", *, secret: str = "", enabled: bool = True, **settings: Any
) -> Integration:
    settings.setdefault("base_url", "http://127.0.0.1:9/v1")
    made = Integration.objects.create(kind="openai", name=name, **settings)
    if secret:
        made.store_credential(secret, now=timezone.now())
    if enabled:
        made.enable(now=timezone.now())
    return made


def job(of: Integration, state: str = State.SUCCEEDED, **values: Any) -> ProvisioningJob:
    now = timezone.now()
    ended = {} if state in ProvisioningJob.LIVE else {"started_at": now, "finished_at": now}
    return ProvisioningJob.objects.create(
        integration=of,
        **{"state": state, "requested_at": now, "mode": "manage", "planned_at": now, **ended, **values},
    )


def action(of: ProvisioningJob, kind: str = "remove", state: str = "done", **values: Any) -> Action:
    """The next line of the job's plan. The plan's digest stays true to it."""
    return actions(of, [(kind, state)], **values)[0]


def actions(of: ProvisioningJob, lines: Iterable[tuple[str, str]], **values: Any) -> list[Action]:
    """A kind and a state for each line. The digest is made once, which takes longer than all the rest."""
    shared = {"email": "ada@example.org", "situation": "joiner", "rule": "Engineers"}
    made = Action.objects.bulk_create(
        Action(job=of, seq=seq, kind=kind, state=state, **shared | ACTIONS[kind] | values)
        for seq, (kind, state) in enumerate(lines, start=of.actions.count() + 1)
    )
    of.digest = digest_of(of)
    of.save(update_fields=["digest"])
    return made


def awaiting(
    of: Integration, *, by: User | None = None, held: int = 1, holds: Sequence[dict[str, str]] = (PROBLEM,)
) -> ProvisioningJob:
    """A job that has given what it had to give, and waits for an approver with the rest."""
    made = job(of, State.AWAITING_APPROVAL, requested_by=by, holds=[*holds])
    action(made, "invite", "done")
    codes = [hold["code"] for hold in holds]
    for place in range(held):
        action(made, "remove", "held", email=f"gone{place}@example.org", error=holds[0], holds=codes)
    return made


def account(of: Integration, remote_id: str = "user-1", **values: Any) -> Account:
    now = timezone.now()
    held = {"role": "reader", "state": "active", "first_seen_at": now, "last_seen_at": now, **values}
    held.setdefault("grants", [{"kind": "project", "id": "proj_search", "role": "member"}])
    held.setdefault("email", f"{remote_id}@example.org")
    return Account.objects.create(integration=of, remote_id=remote_id, **held)


def entitlement(of: Integration, name: str = "Search", **values: Any) -> Entitlement:
    now = timezone.now()
    held = {"kind": "project", "remote_id": f"proj_{name.lower()}", "holders": 3, **values}
    return Entitlement.objects.create(integration=of, name=name, first_seen_at=now, last_seen_at=now, **held)


def key(of: Integration, name: str = "laptop", **values: Any) -> Key:
    now = timezone.now()
    held = {"kind": "project key", "place": "the project Search", "owner_id": "user-1", "made_at": now}
    held |= {"remote_id": f"proj_search/key_{name}", "first_seen_at": now, "last_seen_at": now, **values}
    return Key.objects.create(integration=of, name=name, **held)


def key_link(*, by: User, of: Integration | None = None, name: str = "Beta", hours: int = 24) -> KeyLink:
    address = of.base_url if of else "http://127.0.0.1:9/v1"
    asked: dict[str, Any] = {"kind": "openai", "name": name, "base_url": address, "replaces": of}
    return KeyLink.make(**asked, by=by, hours=hours, now=timezone.now())[0]


def ldap_server(name: str, **values: Any) -> LdapServer:
    of = source(name, Source.Kind.LDAP)
    given = {"url": "ldaps://x.example.org", "bind_dn": "cn=reader", "base_dn": "dc=example,dc=org", **values}
    made = LdapServer.objects.create(source=of, password=Secret(LDAP_PASSWORD), **given)
    for outcome in Pull.Outcome:
        counts = {"people": 7, "groups": 1, "added": 1} if outcome == Pull.Outcome.DONE else {}
        Pull.objects.create(
            source=of, began_at=NOW, finished_at=NOW, outcome=outcome, counts=counts, detail="Why."
        )
    return made


def rule(of: Integration, name: str = "Engineers", *, grants: int = 1, **values: Any) -> AccessRule:
    made = AccessRule.objects.create(integration=of, name=name, **{"role": "reader", **values})
    RuleGrant.objects.bulk_create(RuleGrant(rule=made, name=f"Project {place}") for place in range(grants))
    return made


def group_rule(of: Integration, name: str = "platform", *, grants: int = 1, **values: Any) -> GroupRule:
    made = GroupRule.objects.create(integration=of, name=name, **values)
    GroupGrant.objects.bulk_create(
        GroupGrant(rule=made, name=f"Project {place}", role="viewer") for place in range(grants)
    )
    return made


def mark(of: Integration, email: str = "vip@example.org", **values: Any) -> Mark:
    held = {"key": email, "kind": Mark.Kind.PROTECTED, "reason": "They run the place.", **values}
    return Mark.objects.create(integration=of, email=email, **held)


def channel(name: str, *, to: str = "http://127.0.0.1:9/hook") -> Channel:
    made = Channel(name=name, kind=Channel.Kind.WEBHOOK, causes=["held", "sync_failed"])
    made.send_to(to)
    made.renew_signing_secret()
    made.save()
    return made


def alarm(of: Integration, code: str, by: Channel) -> Alarm:
    """A sync that failed, told once in vain and waiting to be told again."""
    now = timezone.now()
    made = Alarm.objects.create(
        cause="sync_failed",
        subject=f"{of.pk} {code}",
        code=code,
        name=of.name,
        what=f"sync failed ({code})",
        detail="The last job failed.",
        path="/jobs/0",
        integration=of,
        opened_at=now,
    )
    row = watching.tell(made, "opened", [by], now=now)[0]
    Delivery.objects.filter(pk=row.pk).update(attempts=1, answer_status=500, answer="Oops.")
    return made


def entry(of: Model, **said: Any) -> Entry:
    """The newest of the ledger."""
    record(Verb.CHANGED, of, email="ada@example.org", facts={"why": "They asked."}, **said)
    return Entry.objects.latest("pk")


def review(of: Integration, name: str = "Q4", *, by: User, state: str = "open", **values: Any) -> Campaign:
    now = timezone.now()
    given = {"due_on": timezone.localdate(now) + timedelta(days=14), "default_reviewer": by, **values}
    if state in Campaign.UNDER_WAY:
        given |= {"asked_by": by, "asked_at": now, "asked_with": {}}
    if state not in Campaign.NOT_ASKED_YET:
        given |= {"opened_at": now, "opened_by": by, "read_at": now, "not_covered": ["project Voice"]}
    if state in ("finished", "cancelled"):
        given |= {"closed_at": now, "closed_by": by, "close_reason": "Enough."}
    return Campaign.objects.create(integration=of, name=name, state=state, **given)


def to_review(
    of: Campaign, reviewer: User, number: int = 1, *, decision: str = "", **values: Any
) -> list[Item]:
    """So many lines, of which each second is about a project."""
    held = {"kind": "project", "entitlement_name": "Search", "role": "member"}
    decided = {"decision": decision, "decided_by": reviewer, "decided_at": timezone.now(), "reason": "So."}
    first = of.items.count() + 1
    return Item.objects.bulk_create(
        Item(
            campaign=of,
            seq=seq,
            reviewer=reviewer,
            account_ref=f"user-{seq}",
            email=f"user{seq}@example.org",
            person_name=f"User {seq}",
            account_state="active",
            account_role="reader",
            given_by=["Engineers"],
            **(held | {"entitlement_ref": f"proj_{seq}"} if seq % 2 else {}),
            **(decided if decision else {}),
            **values,
        )
        for seq in range(first, first + number)
    )


def exclusion(of: Campaign, who: Any, **values: Any) -> Exclusion:
    """Of what was taken in a job of the review."""
    made = job(of.integration, reviews=of, planned_at=None)
    taken = action(made, "remove", "done", situation="reviewed", person=who)
    given = {"rules": "Engineers", "reason": "They left.", **values}
    return Exclusion.objects.create(integration=of.integration, person=who, review=of, action=taken, **given)


def logged(by: User, row: Model, times: int) -> None:
    for number in range(times):
        who = Actor(Kind.PERSON, by.get_username(), "192.0.2.7")
        record(Verb.CHANGED, row, before={"name": str(number)}, after={"name": str(number + 1)}, by=who)


def of_state(state: str) -> dict[str, Any]:
    """What makes the job of a state worth to look at. The worker of the running one is silent."""
    if state == State.RUNNING:
        an_hour_ago = timezone.now() - timedelta(hours=1)
        return {"holder": "box pid:[1]/4711/ab", "held_since": an_hour_ago, "lease_expires_at": an_hour_ago}
    return {"preview": True} if state == State.SUCCEEDED else {}


def upload(*lines: str, asked_by: User, **typed: Any) -> Upload:
    """A file whose preview is shown."""
    made = Upload.objects.create(
        **{"file": "people.csv", "source_name": "file", "replace": False, "asked_by": asked_by} | typed,
        packed=Upload.pack(csv_file(*lines)),
        stepped_at=timezone.now(),
    )
    uploads.go_on(made.pk)
    made.refresh_from_db()
    return made


def saved_search(*, by: User) -> SavedSearch:
    page = SavedSearch.Page.ACTIONS
    return SavedSearch.objects.create(
        name="Leavers", page=page, query="situation=leaver", owner=by, shared=True
    )


def evidence_pack(of: Integration, *, by: User) -> EvidencePack:
    """One that was made a moment ago, with its file."""
    month = order(of, date(2026, 1, 1), date(2026, 1, 31), now=timezone.now())
    made = making.ask(month, by=by, now=timezone.now())
    making.go_on(made.pk)
    made.refresh_from_db()
    return made


@dataclass
class Company:
    """Something on every page. `rows`: the row whose own pages are looked at, by `app_model`."""

    secret: str
    base_url: str
    acme: Integration = field(init=False)
    waiting: ProvisioningJob = field(init=False)
    reviews: tuple[Campaign, Campaign] = field(init=False)
    rows: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        chief = staff("chief", is_superuser=True)
        self.acme = integration("Acme", secret=self.secret, base_url=self.base_url, mode="manage")
        idle = integration("Idle", secret=self.secret, base_url=self.base_url, enabled=False)
        for state in State:
            # An integration has one live job at most, and Acme shall be free for the next.
            of = integration(f"Busy, {state}") if state in ProvisioningJob.LIVE else self.acme
            made = job(of, state, requested_by=chief, error=PROBLEM, refusal=PROBLEM, **of_state(state))
            actions(made, zip(ACTIONS, cycle(Action.State), strict=False))
        self.waiting = awaiting(self.acme, by=chief)
        ada = person("ada@example.org", name="Ada", groups=("engineering",), aliases=("a.l@example.org",))
        engineering = ada.groups.get()
        found = account(self.acme, person=ada, match=Account.Match.EMAIL, situation="matched")
        by_rule = rule(self.acme, group=engineering, state=AccessRule.State.ACTIVE)
        marked = mark(self.acme, made_by=chief)
        okta = source("okta", kind=Source.Kind.SCIM)
        for _ in range(2):  # so that one is the old one
            okta.issue_token(now=timezone.now())
        Conflict.objects.note(okta, "ada@example.org", ada, now=timezone.now())
        asked = [chief, staff("reviewer", "Reviewer"), staff("superuser", is_superuser=True)]
        self.reviews = self._reviews(asked)
        role = Role.objects.create(name="Visitor")
        role.permissions.add(Permission.objects.get(codename="view_person"))
        self.rows = {
            "abandoned job": ProvisioningJob.objects.get(state=State.RUNNING),
            "job that took": ProvisioningJob.objects.get(integration=self.acme, state=State.PARTIAL),
            "draft review": review(self.acme, "Next", by=chief, state="draft"),
            "finished review": self.reviews[1],
            "review being opened": review(self.acme, "Soon", by=chief, state="opening"),
            "reviews_campaign": self.reviews[0],
            "reviews_exclusion": exclusion(self.reviews[1], ada),
            "draft rule": rule(self.acme, "Draft"),
            "draft group rule": group_rule(self.acme, "drafts"),
            "idle integration": idle,
            "key link": key_link(by=chief),
            "spare group": Group.objects.create(name="spare"),
            "alarms_alarm": (failed := alarm(self.acme, "unreachable", ops := channel("Ops"))),
            "alarms_channel": ops,
            "alarms_delivery": failed.deliveries.get(),
            "auth_group": role,
            "auth_user": staff("guest", "Auditor"),
            "scim source": okta,
            "directory_conflict": okta.conflicts.get(),
            "directory_group": engineering,
            "directory_ldapserver": ldap_server("corp"),
            "directory_person": ada,
            "a saved search": saved_search(by=chief),
            "ledger_entry": entry(found, before={"role": "owner"}, after={"role": "reader"}),
            "an upload": upload("email,name", "new@example.org,New", asked_by=chief),
            "directory_source": ada.source,
            "integrations_integration": self.acme,
            "provisioning_accessrule": by_rule,
            "provisioning_account": found,
            "provisioning_entitlement": entitlement(self.acme),
            "provisioning_key": key(self.acme, account=found),
            "provisioning_action": self.waiting.actions.get(seq=2),
            "provisioning_grouprule": group_rule(self.acme, state=GroupRule.State.ACTIVE),
            "provisioning_mark": marked,
            "provisioning_provisioningjob": self.waiting,
            "retention_retention": Retention.objects.get_or_create(kind="jobs", defaults={"days": 400})[0],
        }
        self.rows["evidence_evidencepack"] = evidence_pack(self.acme, by=chief)
        self.rows["cakewalk_user"] = self.rows["auth_user"]
        Authenticator.objects.create(user=self.rows["auth_user"], name="authenticator")

    def _reviews(self, asked: Sequence[User]) -> tuple[Campaign, Campaign]:
        """An open one in which each of these has lines, and a finished one."""
        is_open = review(self.acme, by=asked[0])
        over = review(self.acme, "Q3", by=asked[0], state="finished")
        for user in asked:
            to_review(is_open, user, 2)
            to_review(over, user, decision="revoke", meanwhile="Gone.")
        Assignment.objects.create(campaign=is_open, group=Group.objects.get(name="engineering"))
        Reminder.objects.create(
            campaign=is_open, reviewer=asked[0], kind="opened", claimed_at=NOW, error="It did not take it."
        )
        return is_open, over

    def grow(self, number: int, first: int = 0) -> None:
        """So many more of everything, and so many more on the pages of `rows`."""
        chief = User.objects.get(username="chief")
        for place in range(first, first + number):
            other = integration(f"Integration {place}", secret=f"sk-admin-{place:0>30}", simulated=True)
            job(other, (State.QUEUED, State.FAILED)[place % 2], requested_by=chief, error=PROBLEM)
            awaiting(other, by=chief)
            awaiting(self.acme, by=staff(f"staff{place}", "Operator"))
            Role.objects.create(name=f"Role {place}")
            told_by = channel(f"Channel {place}")
            told_by.integrations.add(other)
            alarm(other, "unreachable", told_by)
            alarm(self.acme, f"code {place}", self.rows["alarms_channel"])
            failed = self.rows["alarms_alarm"]
            watching.tell(failed, "reminder", [told_by], now=timezone.now(), number=place + 1)
            source(f"source {place}")
            ldap_server(f"server {place}")
            self._more_of_ada(place)
            rule(self.acme, f"Rule {place}", group=self.rows["directory_group"], grants=3)
            RuleGrant.objects.create(rule=self.rows["provisioning_accessrule"], name=f"More {place}")
            group_rule(self.acme, f"group {place}", grants=3)
            GroupGrant.objects.create(
                rule=self.rows["provisioning_grouprule"], name=f"More {place}", role="viewer"
            )
            held = (f"p{place}@example.org", self.rows["directory_person"])
            Conflict.objects.note(source(f"source {place}"), *held, now=timezone.now())
            self._another_pack()
            marker = staff(f"marker{place}")
            mark(self.acme, f"vip{place}@example.org", made_by=marker)
            key_link(by=marker, name=f"Asked {place}")
            key_link(by=marker, of=self.acme)
            SavedSearch.objects.create(
                name=f"Search {place}", page="actions", query=f"rule=Rule+{place}", owner=marker, shared=True
            )
            entry(self.rows["provisioning_account"])
            self._more_reviews(place, marker)
        held_back = [(kind, "held") for kind in ACTIONS] * number
        actions(self.waiting, held_back, person=self.rows["directory_person"])
        for row in self.rows.values():
            logged(chief, row, number)

    def _another_pack(self) -> None:
        pack = EvidencePack.objects.get(pk=self.rows["evidence_evidencepack"].pk)
        pack.pk = None
        pack.save()

    def _more_reviews(self, place: int, reviewer: User) -> None:
        is_open, over = self.reviews
        for user in (reviewer, *User.objects.filter(username__in=("chief", "reviewer", "superuser"))):
            to_review(is_open, user, decision="keep" if place % 2 else "")
        to_review(over, reviewer, decision="revoke")
        exclusion(over, self.rows["directory_person"], kind="project", entitlement_ref=f"proj_{place}")
        Reminder.objects.create(campaign=is_open, reviewer=reviewer, kind="soon", claimed_at=NOW, sent_at=NOW)
        line = {"group": Group.objects.get(name=f"group {place}"), "reviewer": reviewer}
        Assignment.objects.create(campaign=self.rows["draft review"], **line)
        late = review(
            self.acme, f"Late {place}", by=reviewer, due_on=timezone.localdate() - timedelta(days=1)
        )
        to_review(late, User.objects.get(username="reviewer"))

    def _more_of_ada(self, place: int) -> None:
        ada = self.rows["directory_person"]
        other = person(
            f"p{place}@example.org", groups=("engineering", f"group {place}"), start_date=timezone.localdate()
        )
        Membership.objects.create(person=ada, group=Group.objects.get(name=f"group {place}"))
        PersonEmail.objects.create(
            person=ada, address=f"ada{place}@example.org", key=f"ada{place}@example.org"
        )
        account(self.acme, f"user-ada-{place}", person=ada, match=Account.Match.MANUAL)
        key(self.acme, f"key {place}", account=self.rows["provisioning_account"])
        account(self.acme, f"user-p-{place}", person=other, gone_at=timezone.now() if place % 2 else None)
