"""OpenAI Platform for Cakewalk: members and invites are accounts, projects and groups are entitlements."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables
from msgspec.structs import replace

from integrations.connectors.base import (
    Acceptance,
    Account,
    AccountState,
    ActionRejected,
    Card,
    Checks,
    Connector,
    ConnectorError,
    CredentialFacts,
    CredentialRejected,
    Entitlement,
    Event,
    Grant,
    GroupGrants,
    Key,
    Keys,
    Listing,
    NewCredential,
    NotKept,
    OutcomeUnknown,
    PermissionMissing,
    ReadIncomplete,
    Receipt,
    RemoteUnreachable,
    Vocabulary,
)
from integrations.connectors.budget import Budgets
from integrations.connectors.http import Pace, Transport
from integrations.connectors.openai import (
    checking,
    entering,
    events,
    keys,
    project_groups,
    project_roles,
)
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.parsing import GROUP, HOLDER, MEMBER, PROJECT, PROJECT_ROLE, ROLE, Holder

CALLED = (
    gettext_noop("project"),
    gettext_noop("projects"),
    gettext_noop("group"),
    gettext_noop("groups"),
    gettext_noop("role"),
    gettext_noop("roles"),
    gettext_noop("project role"),
    gettext_noop("project roles"),
    gettext_noop("project key"),
    gettext_noop("service account"),
    gettext_noop("admin key"),
)
"""What can be held here, by one or several, and what else is met: marked for translation."""
EVENT_PAGES = 10
"""A thousand events. In which order OpenAI lists them is not known; what is not among them is not seen."""


class OpenAIConnector(Connector):
    card = Card(
        kind="openai",
        title="OpenAI Platform",
        category=gettext_noop("AI"),
        badge=gettext_noop("Auto Provisioning"),
        authentication=gettext_noop("API key"),
        required_permissions=gettext_noop("Admin"),
        required_metadata=gettext_noop("None"),
        secret_label=gettext_noop("API key"),
        secret_placeholder="sk-admin-…",  # noqa: S106 - the shape of a key
        summary=gettext_noop(
            "Invites people to your OpenAI organization, gives them projects, and removes who leaves."
        ),
        default_base_url=entering.OPENAI_URL,
    )
    recognized = entering.RECOGNIZED
    vocabulary = Vocabulary(
        roles=("reader", "owner"),
        owner_role="owner",
        entitlement_roles={
            PROJECT: ("viewer", "member", "owner"),
            GROUP: (MEMBER,),
            ROLE: (HOLDER,),
            PROJECT_ROLE: (HOLDER,),
        },
        invite_carries={PROJECT: ("member", "owner")},
        implicit=frozenset({PROJECT, PROJECT_ROLE}),
        unlisted=frozenset({ROLE, PROJECT_ROLE}),
        creatable=frozenset({PROJECT, GROUP}),
        groups_hold=(GROUP, PROJECT),
        meanings={
            ("", "reader"): gettext_noop("Uses the API in the projects that are given. Manages nothing."),
            ("", "owner"): gettext_noop(
                "Manages the organization: its members, keys and bills. Holds every project."
            ),
            (PROJECT, "viewer"): gettext_noop("Looks at the project, and changes nothing."),
            (PROJECT, "member"): gettext_noop("Uses the API in the project, with keys of their own."),
            (PROJECT, "owner"): gettext_noop("Manages the project: its members, keys and limits."),
            (GROUP, MEMBER): gettext_noop("Is in the group, and has what the group has."),
            (ROLE, HOLDER): gettext_noop("Has a custom role in the whole organization."),
            (PROJECT_ROLE, HOLDER): gettext_noop("Has a custom role in one project, which they must be in."),
        },
    )

    @sensitive_variables("secret")
    def __init__(
        self,
        *,
        secret: str,
        base_url: str,
        progress: Callable[[str], None] = lambda _: None,
        budgets: Budgets | None = None,
        pace: Pace | None = None,
    ) -> None:
        if refusal := self.refuse_secret(secret):
            raise CredentialRejected(refusal)
        if refusal := self.refuse_base_url(base_url):
            raise RemoteUnreachable(refusal)
        self._secret = secret
        self._transport = Transport(base_url, secret, progress, pace, budgets)
        self._client = OpenAIClient(self._transport, progress)
        self._acceptances: Sequence[Acceptance] = ()

    @classmethod
    @sensitive_variables("secret")
    def refuse_secret(cls, secret: str) -> str | None:
        return entering.refuse_secret(secret)

    @classmethod
    def refuse_base_url(cls, base_url: str) -> str | None:
        allowed = settings.CONNECTOR_ALLOWED_HOSTS
        return entering.refuse_base_url(base_url, allowed, local=not settings.HTTPS)

    @classmethod
    def secret_hint(cls, secret: str) -> str:
        return entering.secret_hint(secret)

    @property
    def listings(self) -> Collection[Listing]:
        return tuple(self._client.listings)

    @property
    def calls(self) -> int:
        return self._transport.calls

    # -- reading

    def checks(self) -> Checks:
        with self._transport.in_a_hurry():
            return (yield from checking.checks(self._client, self._is_ours))

    def fetch_credential_facts(self) -> CredentialFacts:
        try:
            return checking.key_facts(self._client, self._is_ours)
        except PermissionMissing:
            return CredentialFacts(unknown="The key may not read the admin keys, so OpenAI does not tell.")

    def _is_ours(self, shown: str) -> bool:
        return entering.is_shown_as(self._secret, shown)

    def one_look(self) -> AbstractContextManager[None]:
        return self._client.one_look()

    def fetch_accounts(self) -> list[Account]:
        """Invites first: who accepts in between is then seen twice, and never not at all."""
        invites, self._acceptances = self._client.list_invites()
        members = self._client.list_users()
        if not members:
            raise ReadIncomplete("The list of users is empty, and an organization always has an owner.")
        return with_what_lapsed(members, invites)

    @property
    def acceptances(self) -> Collection[Acceptance]:
        return tuple(self._acceptances)

    def fetch_account(self, account_id: str, state: AccountState) -> Account | None:
        if state is AccountState.ACTIVE:
            return self._client.retrieve_user(account_id)
        return self._client.retrieve_invite(account_id)

    def fetch_entitlements(self, kinds: Collection[str], names: Collection[str] = ()) -> list[Entitlement]:
        lists: dict[str, Callable[[], Iterable[Entitlement]]] = {
            PROJECT: self._list_projects,
            GROUP: self._client.list_groups,
            ROLE: self._client.list_roles,
            PROJECT_ROLE: partial(project_roles.find, self._client, names),
        }
        return [entitlement for kind in kinds for entitlement in lists[kind]()]

    def _list_projects(self) -> list[Entitlement]:
        projects = self._client.list_projects()
        if not projects:
            raise ReadIncomplete(
                "The list of projects is empty, and an organization always has a default one."
            )
        return projects

    def fetch_grants(
        self, entitlements: Collection[Entitlement], members: Collection[str]
    ) -> Mapping[str, Collection[Grant]]:
        client, grants = self._client, dict[str, list[Grant]]()
        listed = [held for held in entitlements if held.kind in (PROJECT, GROUP)]
        for held, holders in zip(
            listed, client.side_by_side([partial(_holders, held) for held in listed]), strict=True
        ):
            same = {role: Grant(held.kind, held.id, role) for role in {holder.role for holder in holders}}
            for holder in holders:
                grants.setdefault(holder.id, []).append(same[holder.role])
        roles = {held.id for held in entitlements if held.kind == ROLE}
        asked = list(members) if roles else []
        each_holds = client.side_by_side([partial(OpenAIClient.list_user_roles, user_id=id) for id in asked])
        for user_id, held_by_user in zip(asked, each_holds, strict=True):
            held_here = [role for role in held_by_user if role.id in roles]
            grants.setdefault(user_id, []).extend(Grant(ROLE, role.id, role.role) for role in held_here)
        in_projects = [held for held in entitlements if held.kind == PROJECT_ROLE]
        for user_id, grant in project_roles.fetch_grants(client, in_projects):
            grants.setdefault(user_id, []).append(grant)
        return grants

    def fetch_grant(self, account_id: str, kind: str, entitlement_id: str) -> Grant | None:
        ways: dict[str, Callable[[str, str], Holder | None]] = {
            PROJECT: self._client.retrieve_project_user,
            GROUP: self._client.retrieve_group_user,
            ROLE: self._client.retrieve_user_role,
            PROJECT_ROLE: partial(project_roles.retrieve, self._client),
        }
        holder = ways[kind](entitlement_id, account_id)
        return Grant(kind, entitlement_id, holder.role) if holder else None

    def fetch_keys(self, owners: Collection[str]) -> Keys:
        return keys.fetch(self._client, owners, self._is_ours)

    def fetch_key(self, key_id: str) -> Key | None:
        return keys.fetch_one(self._client, key_id, self._is_ours)

    def fetch_events(self, since: datetime, entitlement_kinds: Collection[str]) -> list[Event]:
        with self._transport.in_a_hurry():
            try:
                found = self._client.list_audit_logs(since, events.TYPES, of_tenant=False, pages=EVENT_PAGES)
            except (PermissionMissing, ReadIncomplete) as error:
                if isinstance(error, PermissionMissing) or error.status in (400, 404):
                    raise NotKept(f"Without it {checking.EVENTS_UNREAD}. {error}") from error
                raise
            if events.KEPT_APART.isdisjoint(entitlement_kinds):
                return found
            return found + self._events_of_tenant(since)

    def _events_of_tenant(self, since: datetime) -> list[Event]:
        """An organization may belong to no tenant, or its tenant be closed to the key."""
        with suppress(PermissionMissing, ReadIncomplete):
            return self._client.list_audit_logs(
                since, events.TYPES_OF_TENANT, of_tenant=True, pages=EVENT_PAGES
            )
        return []

    # -- writing

    def invite(self, email: str, role: str, grants: Collection[Grant]) -> Receipt:
        _check_role(role, self.vocabulary.roles)
        for grant in grants:
            _check_role(grant.role, self.vocabulary.invite_carries.get(grant.kind, ()))
        return self._client.create_invite(email, role, {grant.id: grant.role for grant in grants})

    def withdraw_invite(self, account_id: str) -> Receipt:
        try:
            return self._gone_or(lambda: self._client.delete_invite(account_id))
        except ActionRejected as refusal:
            if "already accepted" not in str(refusal).lower():
                raise
            sentence = "The invite cannot be withdrawn: it was accepted, and the person is a member now."
            raise ActionRejected(sentence, status=refusal.status, request_id=refusal.request_id) from None

    def change_role(self, account_id: str, role: str) -> Receipt:
        _check_role(role, self.vocabulary.roles)
        return self._client.modify_user(account_id, role)

    def remove(self, account_id: str) -> Receipt:
        return self._gone_or(lambda: self._client.delete_user(account_id))

    def grant(self, account_id: str, grant: Grant) -> Receipt:
        _check_role(grant.role, self.vocabulary.entitlement_roles[grant.kind])
        try:
            if grant.kind == PROJECT:
                return self._client.create_project_user(grant.id, account_id, grant.role)
            ways: dict[str, Callable[[str, str], Receipt]] = {
                GROUP: self._client.create_group_user,
                ROLE: self._client.create_user_role,
                PROJECT_ROLE: partial(project_roles.create, self._client),
            }
            return ways[grant.kind](grant.id, account_id)
        except ActionRejected as refusal:
            if "already" in str(refusal) and self._holds(account_id, grant):
                return Receipt(refusal.request_id)
            raise

    def _holds(self, account_id: str, grant: Grant) -> bool:
        """Whether a look shows the grant; a look that fails shows nothing."""
        with suppress(ConnectorError):
            return self.fetch_grant(account_id, grant.kind, grant.id) == grant
        return False

    def change_grant(self, account_id: str, grant: Grant) -> Receipt:
        if grant.kind != PROJECT:
            raise ActionRejected(f"There is nothing to change: a {grant.kind} has one role only.")
        _check_role(grant.role, self.vocabulary.entitlement_roles[PROJECT])
        return self._client.modify_project_user(grant.id, account_id, grant.role)

    def revoke(self, account_id: str, kind: str, entitlement_id: str) -> Receipt:
        ways: dict[str, Callable[[str, str], Receipt]] = {
            PROJECT: self._client.delete_project_user,
            GROUP: self._client.delete_group_user,
            ROLE: self._client.delete_user_role,
            PROJECT_ROLE: partial(project_roles.delete, self._client),
        }
        return self._gone_or(lambda: ways[kind](entitlement_id, account_id))

    def create_entitlement(self, kind: str, name: str) -> Receipt:
        ways = {PROJECT: self._client.create_project, GROUP: self._client.create_group}
        if kind not in ways:
            raise ActionRejected(f"A {kind} cannot be made here.")
        return ways[kind](name)

    def revoke_key(self, key_id: str) -> Receipt:
        return self._gone_or(lambda: keys.revoke(self._client, key_id))

    # -- groups in projects

    def fetch_group_grants(
        self, groups: Collection[Entitlement], places: Collection[Entitlement]
    ) -> GroupGrants:
        return project_groups.fetch(self._client, groups, places)

    def group_holds(self, group_id: str, right: Entitlement) -> bool:
        return project_groups.holds(self._client, group_id, right)

    def grant_to_group(self, group_id: str, right: Entitlement) -> Receipt:
        try:
            return project_groups.grant(self._client, group_id, right)
        except ActionRejected as refusal:
            with suppress(ConnectorError):
                if "already" in str(refusal) and self.group_holds(group_id, right):
                    return Receipt(refusal.request_id)
            raise

    def revoke_from_group(self, group_id: str, right: Entitlement) -> Receipt:
        return self._gone_or(lambda: project_groups.revoke(self._client, group_id, right))

    # -- admin keys

    def list_credentials(self) -> list[CredentialFacts]:
        with self._transport.in_a_hurry():
            return [key.facts for key in self._client.list_admin_keys()]

    def create_credential(self, name: str, life: timedelta | None) -> NewCredential:
        with self._transport.in_a_hurry():
            made = self._client.create_admin_key(name, life)
        if self.refuse_secret(made.secret):
            raise OutcomeUnknown("OpenAI answered with a key that cannot be one.")
        return made

    def revoke_credential(self, credential_id: str) -> Receipt:
        with self._transport.in_a_hurry():
            return self._gone_or(lambda: self._client.delete_admin_key(credential_id))

    def _gone_or(self, delete: Callable[[], Receipt]) -> Receipt:
        """What is not there any more needs no deleting."""
        try:
            return delete()
        except ActionRejected as refusal:
            if refusal.status == 404 or "is not a member of" in str(refusal):
                return Receipt(refusal.request_id)
            raise


def _holders(held: Entitlement, client: OpenAIClient) -> list[Holder]:
    if held.kind == PROJECT:
        return client.list_project_users(held.id, held.name)
    return client.list_group_users(held.id, held.name)


def with_what_lapsed(members: list[Account], invites: Sequence[Account]) -> list[Account]:
    """One account stands for an address, where nobody made it two: a membership, an open invite, or else the
    invite that lapsed last. What lapsed behind it is told with it: OpenAI goes on listing it.
    """
    open_ones = [invite for invite in invites if invite.state is AccountState.INVITED]
    if len(open_ones) == len(invites):
        return members + open_ones
    lapsed: dict[str, list[Account]] = {}
    for invite in sorted(invites, key=lambda invite: invite.since.timestamp() if invite.since else 0):
        if invite.state is AccountState.EXPIRED:
            lapsed.setdefault(_address(invite.email), []).append(invite)
    stand = [_before(lapsed.pop(_address(one.email), ()), one) for one in [*members, *open_ones]]
    return stand + [_before(older, newest) for *older, newest in lapsed.values()]


def _before(lapsed: Sequence[Account], account: Account) -> Account:
    return replace(account, lapsed=tuple(lapsed)) if lapsed else account


def _check_role(role: str, known: Collection[str]) -> None:
    if role not in known:
        raise ActionRejected(f"OpenAI has no role {role!r} here.")


def _address(email: str | None) -> str:
    return unicodedata.normalize("NFC", email or "").lower()


CONNECTOR = OpenAIConnector
