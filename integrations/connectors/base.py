"""What every connector offers, in values and errors that know no vendor. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, cast

from msgspec import Struct
from msgspec.structs import asdict, replace

from integrations.connectors.budget import Budgets


class AccountState(StrEnum):
    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"


class Grant(Struct, frozen=True, order=True, gc=False):
    """One account's hold on one entitlement, with the role it holds there."""

    kind: str
    id: str
    role: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one may hold in the remote: a project, a group. `unmanageable` says why it is left alone.

    `within`: kind and id of another one, which only its holders can hold this in.
    """

    kind: str
    id: str
    name: str
    unmanageable: str = ""
    within: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PlaceRole:
    """A role that a group can hold in one place, `viewer` in the project Search. `right` names it with its
    place, as something to hold.
    """

    place_id: str
    name: str
    right: Entitlement


@dataclass(frozen=True, slots=True)
class GroupGrants:
    """One complete look at what groups hold. `held`: by the ids of group and place, what the group holds
    there by itself. `members`: account ids, by group id, of each group that holds something. `closed`: why
    nothing of this can be changed of a group, by its id.
    """

    roles: tuple[PlaceRole, ...] = ()
    held: Mapping[tuple[str, str], tuple[PlaceRole, ...]] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)


class Account(Struct, frozen=True, gc=False):
    """A person's presence in the remote: a member, or an invite. `grants` covers only what was asked for.

    `inside`: by kind and id, what it was seen to hold of that in which asked-for entitlements lie.
    `lapsed`: invites to the same address that ran out, behind this one. `managed_elsewhere` is true where the
    remote says that another system feeds this account. A Struct, since a frozen dataclass takes ten times as
    long to make, and a read makes many.
    """

    id: str
    state: AccountState
    email: str | None
    role: str | None
    name: str | None = None
    grants: tuple[Grant, ...] = ()
    inside: frozenset[tuple[str, str]] = frozenset()
    managed_elsewhere: bool = False
    is_service: bool = False
    since: datetime | None = None
    expires_at: datetime | None = None
    lapsed: tuple["Account", ...] = ()

    def holding(self, grants: tuple[Grant, ...], inside: frozenset[tuple[str, str]]) -> "Account":
        """The same, with what it holds."""
        return replace(self, grants=grants, inside=inside)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An invite to an address, which somebody has accepted, perhaps with an account of another address."""

    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """Proof that one listing was read to its end."""

    name: str
    pages: int
    items: int
    first_id: str | None
    last_id: str | None
    seconds: float

    def followed_by(self, other: "Listing") -> "Listing":
        """One proof of both."""
        return Listing(
            self.name,
            self.pages + other.pages,
            self.items + other.items,
            self.first_id or other.first_id,
            other.last_id or self.last_id,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The remote's word that a write was done. `account_id`: the id of the account that it made, or of the
    entitlement.
    """

    request_id: str | None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key in the remote, or an account of a machine that may hold some. `id` is what the connector knows it
    by; `place` is where it works, in words.

    `of_machine`: whoever owns it is no person. `shown`: what may be shown of its secret. `is_ours`: the
    credential in use. `unattended`: of a machine in a place where no person is left but those who are in
    every place.
    """

    id: str
    kind: str
    name: str
    place: str
    owner_id: str
    made_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    owner_name: str = ""
    of_machine: bool = False
    shown: str = ""
    is_ours: bool = False
    unattended: bool = False


@dataclass(frozen=True, slots=True)
class Unattended:
    """Service accounts in a place where no person is left but those who are in every place."""

    place: str
    service_accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Residue:
    """What accounts leave behind when they end. `unread`: a sentence for each list that the credential may
    not read, so that what it would show is unknown.
    """

    keys: tuple[Key, ...] = ()
    unattended: tuple[Unattended, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key and machine of these `kinds`. `unread`: a sentence for each kind that the credential may not
    read, so that nothing is known of it.
    """

    keys: tuple[Key, ...]
    kinds: frozenset[str]
    unread: tuple[str, ...] = ()

    def left_by(self, account_ids: Collection[str]) -> Residue:
        """Never the credential in use."""
        theirs = tuple(
            key for key in self.keys if key.owner_id in account_ids and not (key.is_ours or key.of_machine)
        )
        alone: dict[str, list[str]] = {}
        for key in self.keys:
            if key.unattended:
                alone.setdefault(key.place, []).append(key.name)
        unattended = tuple(Unattended(place, tuple(names)) for place, names in alone.items())
        return Residue(theirs, unattended, self.unread)


class EventKind(StrEnum):
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_REMOVED = "account_removed"
    ROLE_CHANGED = "role_changed"
    INVITE_SENT = "invite_sent"
    INVITE_ACCEPTED = "invite_accepted"
    INVITE_WITHDRAWN = "invite_withdrawn"
    GRANT_GIVEN = "grant_given"
    GRANT_CHANGED = "grant_changed"
    GRANT_TAKEN = "grant_taken"
    KEY_REVOKED = "key_revoked"
    ENTITLEMENT_MADE = "entitlement_made"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the remote's own record of changes, whoever made them.

    `kinds`: what it may tell of, where the remote has one word for several things. `about`: every id and
    address that it names. `of`: the kind of entitlement or key, and `place_id` the entitlement in which it
    happened, where these are told. `actor`: who did it, in words; `actor_id`: their account; `by_key`: with a
    credential.
    """

    id: str
    at: datetime
    type: str
    kinds: frozenset[EventKind]
    about: frozenset[str]
    of: str = ""
    place_id: str = ""
    actor: str = ""
    actor_id: str = ""
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class CredentialFacts:
    """What the remote tells of a credential. `unknown`: a sentence why it tells nothing of the one in use."""

    id: str = ""
    name: str = ""
    owner_id: str = ""
    owner_name: str = ""
    owner_kind: str = ""
    made_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    unknown: str = ""

    @property
    def life(self) -> timedelta | None:
        """For how long it was made; None without an end."""
        return self.expires_at - self.made_at if self.expires_at and self.made_at else None


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that was just made. The remote shows its secret this once."""

    facts: CredentialFacts
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a connection test. `answer` is allowed, refused or unreachable; `detail` is a sentence.

    The line named `EVENTS` says whether there are events to fetch.
    """

    name: str
    answer: str
    detail: str

    ALLOWED: ClassVar[str] = "allowed"
    REFUSED: ClassVar[str] = "refused"
    UNREACHABLE: ClassVar[str] = "unreachable"
    EVENTS: ClassVar[str] = "Audit log"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the live remote said to a credential. `problem` says plainly why it does not work.

    `rejected`: every answer was that it is no valid credential.
    """

    checks: tuple[Check, ...]
    problem: str | None = None
    credential: CredentialFacts = CredentialFacts()
    simulated: bool = False
    rejected: bool = False

    @property
    def works(self) -> bool:
        return self.problem is None

    @property
    def lacks(self) -> tuple[Check, ...]:
        """What a credential that works may not do, each with what that turns off."""
        return tuple(check for check in self.checks if check.answer == Check.REFUSED) if self.works else ()


Checks = Generator[str | Check, None, CheckReport]
"""A connection test under way: the name of what is asked for, then its line when there is an answer, and at
the end the whole report.
"""


@dataclass(frozen=True, slots=True)
class Recognized:
    """What an entered secret is seen to be, without asking anybody: the first in the connector's list whose
    `pattern` occurs in it. Pages give the list to the browser, which tells staff while they paste; so a
    pattern must mean the same to Python and to JavaScript: no flags, no named groups, no `\\w`, no `\\b`.

    `sentence` says what it is, and what to do; `refused`: it cannot be what is needed.
    """

    pattern: str
    sentence: str
    refused: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """How a connector shows in the catalog."""

    kind: str
    title: str
    category: str
    badge: str
    authentication: str
    required_permissions: str
    required_metadata: str
    secret_label: str
    secret_placeholder: str
    summary: str
    default_base_url: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The remote's roles, lowest first, so that planning can rank them without knowing the vendor.

    `entitlement_roles`: by kind. `invite_carries`: which roles of a kind an invite can already grant.
    `implicit`: kinds that the highest organization role (`owner_role`) holds in full without a grant.
    `unlisted`: kinds whose holders the remote does not list, so that each member is asked.
    `creatable`: kinds of which the connector can make a new one by its name.
    `groups_hold`: the kind of a group that holds roles itself, and the kind of the places where it does; None
    where groups hold nothing.
    `meanings`: what a role lets somebody do, by its kind and name; the kind of an organization role is "".
    """

    roles: tuple[str, ...]
    owner_role: str
    entitlement_roles: Mapping[str, tuple[str, ...]]
    invite_carries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    implicit: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()
    creatable: frozenset[str] = frozenset()
    groups_hold: tuple[str, str] | None = None
    meanings: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def usual_role(self, kind: str) -> str:
        """What a rule means that names no role: the lowest one that an invite can bring."""
        return (self.invite_carries.get(kind) or self.entitlement_roles[kind])[0]


class ConnectorError(Exception):
    """Something the remote, or the way to it, did. The message is one sentence for people, never a secret."""

    def __init__(self, message: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class CredentialRejected(ConnectorError):
    """Pause the integration and ask for another credential (401)."""


class PermissionMissing(ConnectorError):
    """Ask for a credential with more rights (403)."""


class NotKept(ConnectorError):
    """Do without, and say so once: the remote keeps no record of changes, or shows it to others only."""


class RemoteUnreachable(ConnectorError):
    """Try again later: no connection, a timeout, or 5xx after the retries of a read."""


class RateLimited(ConnectorError):
    """Try again later: 429 for longer than we are ready to wait."""


class ReadIncomplete(ConnectorError):
    """Believe nothing of this read: it could not be proven complete, or an answer made no sense."""


class ActionRejected(ConnectorError):
    """Report the action as failed: the remote said no, and nothing was changed."""


class OutcomeUnknown(ConnectorError):
    """Look at the remote before anything else: a write was sent and its reply was lost."""


def plural(kind: str) -> str:
    """A kind of entitlement as files and documents name it: `projects`, `project_roles`."""
    return f"{kind}s".replace(" ", "_")


def singular(kinds: str) -> str:
    """The reverse of `plural`."""
    return kinds.removesuffix("s").replace("_", " ")


Result = TypeVar("Result")


def ended(steps: Generator[Any, None, Result]) -> Result:
    """What comes out at the end, where nobody looks on."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(Result, end.value)


class Connector(ABC):
    """One configured remote. Reads are complete or raise; a write returns a receipt or raises.

    Reads raise ReadIncomplete, RemoteUnreachable, RateLimited, CredentialRejected or PermissionMissing.
    Writes raise ActionRejected, OutcomeUnknown, RateLimited, RemoteUnreachable (surely not sent),
    CredentialRejected or PermissionMissing. A write that finds the remote already so returns a receipt.
    """

    card: ClassVar[Card]
    vocabulary: ClassVar[Vocabulary]
    recognized: ClassVar[Sequence[Recognized]]

    @abstractmethod
    def __init__(
        self,
        *,
        secret: str,
        base_url: str,
        progress: Callable[[str], None] = lambda _: None,
        budgets: Budgets | None = None,
    ) -> None:
        """`progress` is called after each page with a short text; it may raise to stop the read. `budgets`:
        what is known of the remote's limits, and shared with other workers.
        """

    @classmethod
    @abstractmethod
    def refuse_secret(cls, secret: str) -> str | None:
        """Why this text cannot be the right kind of credential, as a sentence; None when it may be."""

    @classmethod
    @abstractmethod
    def refuse_base_url(cls, base_url: str) -> str | None:
        """Why this address cannot be called, as a sentence; None when it may be."""

    @classmethod
    @abstractmethod
    def secret_hint(cls, secret: str) -> str:
        """What may be shown of a credential later, such as `sk-admin-…` and its last four characters."""

    @abstractmethod
    def checks(self) -> Checks:
        """Try the credential on the live remote, answer by answer. Never raises a ConnectorError."""

    def check(self) -> CheckReport:
        """The same to its end."""
        return ended(self.checks())

    def one_look(self) -> AbstractContextManager[None]:
        """While all that follows is one look at the remote, what was listed once need not be listed again."""
        return nullcontext()

    @abstractmethod
    def fetch_accounts(self) -> list[Account]:
        """Every member, open invite and lapsed invite that nothing newer to its address has replaced.

        Without grants; invites carry theirs.
        """

    @property
    def acceptances(self) -> Collection[Acceptance]:
        """Of the invites that `fetch_accounts` has read; none where the remote does not tell."""
        return ()

    @abstractmethod
    def fetch_entitlements(self, kinds: Collection[str], names: Collection[str] = ()) -> list[Entitlement]:
        """Everything of these kinds that can be held, unmanageable ones too (they say why). Of a kind that is
        found in many places, only what lies where something of these names does.
        """

    @abstractmethod
    def fetch_grants(
        self, entitlements: Collection[Entitlement], members: Collection[str]
    ) -> Mapping[str, Collection[Grant]]:
        """Who holds these entitlements, by account id, and that in which they lie. `members`: whom to ask for
        the `unlisted` kinds.
        """

    @abstractmethod
    def fetch_account(self, account_id: str, state: AccountState) -> Account | None:
        """A fresh look at one member or invite (invites carry their grants); None when it is gone."""

    @abstractmethod
    def fetch_grant(self, account_id: str, kind: str, entitlement_id: str) -> Grant | None: ...

    @abstractmethod
    def fetch_credential_facts(self) -> CredentialFacts:
        """Whose the credential is, how old, and until when; what the remote does not tell is `unknown`."""

    @abstractmethod
    def fetch_keys(self, owners: Collection[str]) -> Keys:
        """Every key and every account of a machine, the credential in use too. `owners`: the accounts of the
        highest role, who are in every place and attend to none. A kind that the credential may not read is
        `unread` and raises nothing.
        """

    @abstractmethod
    def fetch_key(self, key_id: str) -> Key | None:
        """A fresh look at one key; None when it is gone."""

    @abstractmethod
    def fetch_events(self, since: datetime, entitlement_kinds: Collection[str]) -> list[Event]:
        """What the remote's record has by now of changes to access, in any order: no proof of completeness,
        and one attempt. Raises NotKept where there is none to read.

        `entitlement_kinds`: of what was granted or revoked. A remote that keeps some apart looks there too.
        """

    @property
    @abstractmethod
    def listings(self) -> Collection[Listing]:
        """Proof of every listing that this connector has read so far."""

    @property
    @abstractmethod
    def calls(self) -> int:
        """HTTP requests sent so far."""

    @abstractmethod
    def invite(self, email: str, role: str, grants: Collection[Grant]) -> Receipt: ...

    @abstractmethod
    def withdraw_invite(self, account_id: str) -> Receipt: ...

    @abstractmethod
    def change_role(self, account_id: str, role: str) -> Receipt: ...

    @abstractmethod
    def remove(self, account_id: str) -> Receipt: ...

    @abstractmethod
    def grant(self, account_id: str, grant: Grant) -> Receipt: ...

    @abstractmethod
    def change_grant(self, account_id: str, grant: Grant) -> Receipt: ...

    @abstractmethod
    def revoke(self, account_id: str, kind: str, entitlement_id: str) -> Receipt: ...

    @abstractmethod
    def create_entitlement(self, kind: str, name: str) -> Receipt:
        """Of a `creatable` kind. Whether there is one of that name already is for the caller to look."""

    @abstractmethod
    def revoke_key(self, key_id: str) -> Receipt: ...

    # -- what groups hold, where the vocabulary says that they hold something

    def fetch_group_grants(
        self, groups: Collection[Entitlement], places: Collection[Entitlement]
    ) -> GroupGrants:
        """Which roles these places have, and which of them these groups hold there."""
        raise NotImplementedError

    def group_holds(self, group_id: str, right: Entitlement) -> bool:
        """A fresh look at one role of a group, held by itself."""
        raise NotImplementedError

    def grant_to_group(self, group_id: str, right: Entitlement) -> Receipt:
        raise NotImplementedError

    def revoke_from_group(self, group_id: str, right: Entitlement) -> Receipt:
        raise NotImplementedError

    # -- credentials of the kind that is in use here

    @abstractmethod
    def list_credentials(self) -> list[CredentialFacts]: ...

    @abstractmethod
    def create_credential(self, name: str, life: timedelta | None) -> NewCredential:
        """Raises OutcomeUnknown where the answer is lost, and its secret with it."""

    @abstractmethod
    def revoke_credential(self, credential_id: str) -> Receipt: ...
