"""OpenAI's administration API: one method per endpoint, strict about answers, without decisions."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from integrations.connectors.base import (
    Acceptance,
    Account,
    ActionRejected,
    ConnectorError,
    CredentialRejected,
    Entitlement,
    Event,
    Listing,
    NewCredential,
    OutcomeUnknown,
    PermissionMissing,
    ReadIncomplete,
    Receipt,
)
from integrations.connectors.errands import Errands, at_home
from integrations.connectors.http import Query, Reply, Transport
from integrations.connectors.openai import parsing, quick
from integrations.connectors.openai.events import parse_event
from integrations.connectors.openai.paging import Walk
from integrations.connectors.openai.parsing import (
    AdminKey,
    GroupRole,
    Holder,
    Page,
    ProjectKey,
    Row,
    ServiceAccount,
    Unreadable,
)

USERS = "/organization/users"
INVITES = "/organization/invites"
PROJECTS = "/organization/projects"
GROUPS = "/organization/groups"
ADMIN_KEYS = "/organization/admin_api_keys"
ROLES = "/organization/roles"
PROJECTS_WITH_ROLES = "/projects"
AUDIT_LOGS = "/organization/audit_logs"

Value = TypeVar("Value")
Parse = Callable[[Row, str], Value]


class OpenAIClient:
    """`listings` proves each list that was read to its end; `simulated` is what the answers say they are."""

    def __init__(self, transport: Transport, progress: Callable[[str], None]) -> None:
        self.listings: list[Listing] = []
        self.simulated = False
        self._seen: dict[str, list[Any]] | None = None
        self._together: set[str] = set()
        self._transport = transport
        self._progress = progress

    # https://platform.openai.com/docs/api-reference/users

    def list_users(self) -> list[Account]:
        return self._list("users", USERS, parsing.parse_user, quickly=quick.USERS)

    def retrieve_user(self, user_id: str) -> Account | None:
        return self._retrieve(_path(USERS, user_id), user_id, parsing.parse_user)

    def modify_user(self, user_id: str, role: str) -> Receipt:
        return self._post(
            _path(USERS, user_id),
            {"role": role},
            parsing.parse_user,
            lambda user: (user.id, user.role) == (user_id, role),
        )

    def delete_user(self, user_id: str) -> Receipt:
        return self._delete(_path(USERS, user_id), user_id)

    # https://platform.openai.com/docs/api-reference/invite

    def list_invites(self) -> tuple[list[Account], list[Acceptance]]:
        """Those that are open or expired, and what was accepted, which OpenAI goes on listing."""
        listed = self._list("invites", INVITES, _invite_or_acceptance)
        invites = [one for one in listed if isinstance(one, Account)]
        return invites, [one for one in listed if isinstance(one, Acceptance)]

    def retrieve_invite(self, invite_id: str) -> Account | None:
        return self._retrieve(_path(INVITES, invite_id), invite_id, _parse_invite)

    def create_invite(self, email: str, role: str, grants: Mapping[str, str]) -> Receipt:
        """`grants`: roles by project. Always sent: OpenAI gives the default project to who names none."""
        projects = [{"id": project_id, "role": held} for project_id, held in grants.items()]
        return self._post(
            INVITES,
            {"email": email, "role": role, "projects": projects},
            _parse_invite,
            lambda invite: invite is not None and _told(invite) == (email.casefold(), role),
            account_id=lambda invite: invite.id if invite else None,
        )

    def delete_invite(self, invite_id: str) -> Receipt:
        return self._delete(_path(INVITES, invite_id), invite_id)

    # https://platform.openai.com/docs/api-reference/projects

    def list_projects(self) -> list[Entitlement]:
        """Archived ones too, so that it can be said of one that a rule names."""
        return self._list("projects", PROJECTS, parsing.parse_project, {"include_archived": "true"})

    def create_project(self, name: str) -> Receipt:
        return self._create(PROJECTS, name, parsing.parse_project)

    # https://platform.openai.com/docs/api-reference/project-users

    def list_project_users(self, project_id: str, name: str) -> list[Holder]:
        path = _path(PROJECTS, project_id, "users")
        name = f"users in the project {name}"
        return self._list(name, path, parsing.parse_project_user, quickly=quick.PROJECT_USERS)

    def retrieve_project_user(self, project_id: str, user_id: str) -> Holder | None:
        path = _path(PROJECTS, project_id, "users", user_id)
        return self._retrieve(path, user_id, parsing.parse_project_user)

    def create_project_user(self, project_id: str, user_id: str, role: str) -> Receipt:
        wanted = Holder(user_id, role)
        return self._post(
            _path(PROJECTS, project_id, "users"),
            {"user_id": user_id, "role": role},
            parsing.parse_project_user,
            lambda holder: holder == wanted,
        )

    def modify_project_user(self, project_id: str, user_id: str, role: str) -> Receipt:
        wanted = Holder(user_id, role)
        return self._post(
            _path(PROJECTS, project_id, "users", user_id),
            {"role": role},
            parsing.parse_project_user,
            lambda holder: holder == wanted,
        )

    def delete_project_user(self, project_id: str, user_id: str) -> Receipt:
        return self._delete(_path(PROJECTS, project_id, "users", user_id), user_id)

    # https://platform.openai.com/docs/api-reference/project-api-keys

    def list_project_keys(self, project_id: str, name: str) -> list[ProjectKey]:
        """Those too whose owner has lost the project. OpenAI leaves them out unless asked for `any`."""
        path, asked = _path(PROJECTS, project_id, "api_keys"), {"owner_project_access": "any"}
        return self._list(f"keys of the project {name}", path, parsing.parse_project_key, asked)

    def retrieve_project_key(self, project_id: str, key_id: str) -> ProjectKey | None:
        path = _path(PROJECTS, project_id, "api_keys", key_id)
        return self._retrieve(path, key_id, parsing.parse_project_key)

    def delete_project_key(self, project_id: str, key_id: str) -> Receipt:
        return self._delete(_path(PROJECTS, project_id, "api_keys", key_id), key_id)

    # https://platform.openai.com/docs/api-reference/project-service-accounts

    def list_service_accounts(self, project_id: str, name: str) -> list[ServiceAccount]:
        path = _path(PROJECTS, project_id, "service_accounts")
        return self._list(f"service accounts of the project {name}", path, parsing.parse_service_account)

    # https://platform.openai.com/docs/api-reference/groups

    def list_groups(self) -> list[Entitlement]:
        return self._list("groups", GROUPS, parsing.parse_group)

    def create_group(self, name: str) -> Receipt:
        return self._create(GROUPS, name, parsing.parse_group)

    def list_group_users(self, group_id: str, name: str) -> list[Holder]:
        path = _path(GROUPS, group_id, "users")
        name = f"users in the group {name}"
        return self._list(name, path, parsing.parse_group_user, quickly=quick.GROUP_USERS)

    def retrieve_group_user(self, group_id: str, user_id: str) -> Holder | None:
        return self._retrieve(_path(GROUPS, group_id, "users", user_id), user_id, parsing.parse_group_user)

    def create_group_user(self, group_id: str, user_id: str) -> Receipt:
        return self._post(
            _path(GROUPS, group_id, "users"),
            {"user_id": user_id},
            parsing.parse_group_membership,
            lambda holder: holder.id == user_id,
        )

    def delete_group_user(self, group_id: str, user_id: str) -> Receipt:
        return self._delete(_path(GROUPS, group_id, "users", user_id), user_id)

    # https://platform.openai.com/docs/api-reference/roles

    def list_roles(self) -> list[Entitlement]:
        return self._list("roles", ROLES, parsing.parse_role)

    # https://platform.openai.com/docs/api-reference/role-assignments

    def list_user_roles(self, user_id: str) -> list[Holder]:
        """Those that the person holds by themselves. One proof tells of all people."""
        path = _path(USERS, user_id, "roles")
        roles = self._list("roles of members", path, parsing.parse_assigned_role, together=True)
        return [role for role in roles if role is not None]

    def retrieve_user_role(self, role_id: str, user_id: str) -> Holder | None:
        return self._retrieve(_path(USERS, user_id, "roles", role_id), role_id, parsing.parse_assigned_role)

    def create_user_role(self, role_id: str, user_id: str) -> Receipt:
        wanted = Holder(user_id, role_id)
        return self._post(
            _path(USERS, user_id, "roles"),
            {"role_id": role_id},
            parsing.parse_role_assignment,
            lambda given: given == wanted,
        )

    def delete_user_role(self, role_id: str, user_id: str) -> Receipt:
        return self._delete(_path(USERS, user_id, "roles", role_id), role_id)

    # https://platform.openai.com/docs/api-reference/project-roles

    def list_project_roles(self, project_id: str, name: str) -> list[Entitlement]:
        path = _path(PROJECTS_WITH_ROLES, project_id, "roles")
        return self._list(f"roles of the project {name}", path, parsing.parse_role)

    def list_project_user_roles(self, project_id: str, user_id: str) -> list[Holder]:
        """Those that the person holds by themselves. One proof tells of all people in a project."""
        path = _path(PROJECTS_WITH_ROLES, project_id, "users", user_id, "roles")
        name = f"roles in the project {project_id}"
        roles = self._list(name, path, parsing.parse_assigned_role, together=True)
        return [role for role in roles if role is not None]

    def retrieve_project_user_role(self, project_id: str, role_id: str, user_id: str) -> Holder | None:
        path = _path(PROJECTS_WITH_ROLES, project_id, "users", user_id, "roles", role_id)
        return self._retrieve(path, role_id, parsing.parse_assigned_role)

    def create_project_user_role(self, project_id: str, role_id: str, user_id: str) -> Receipt:
        wanted = Holder(user_id, role_id)
        return self._post(
            _path(PROJECTS_WITH_ROLES, project_id, "users", user_id, "roles"),
            {"role_id": role_id},
            parsing.parse_role_assignment,
            lambda given: given == wanted,
        )

    def delete_project_user_role(self, project_id: str, role_id: str, user_id: str) -> Receipt:
        path = _path(PROJECTS_WITH_ROLES, project_id, "users", user_id, "roles", role_id)
        return self._delete(path, role_id)

    # https://platform.openai.com/docs/api-reference/project-groups

    def list_project_groups(self, project_id: str, name: str) -> list[str]:
        """Their ids."""
        path = _path(PROJECTS, project_id, "groups")
        listed = self._list(
            f"groups in the project {name}",
            path,
            parsing.parse_project_group,
            identify=parsing.project_group_id,
        )
        return [group_id for _, group_id in listed]

    def retrieve_project_group(self, project_id: str, group_id: str) -> tuple[str, str] | None:
        path = _path(PROJECTS, project_id, "groups", group_id)
        return self._retrieve(path, group_id, parsing.parse_project_group, identify=parsing.project_group_id)

    def create_project_group(self, project_id: str, group_id: str, role_id: str) -> Receipt:
        return self._post(
            _path(PROJECTS, project_id, "groups"),
            {"group_id": group_id, "role": role_id},
            parsing.parse_project_group,
            lambda told: told == (project_id, group_id),
        )

    def delete_project_group(self, project_id: str, group_id: str) -> Receipt:
        return self._delete(_path(PROJECTS, project_id, "groups", group_id), group_id)

    # https://platform.openai.com/docs/api-reference/project-group-role-assignments

    def list_project_group_roles(self, project_id: str, group_id: str) -> list[GroupRole]:
        """One proof tells of all groups of a project."""
        path = _path(PROJECTS_WITH_ROLES, project_id, "groups", group_id, "roles")
        name = f"roles of groups in the project {project_id}"
        return self._list(name, path, parsing.parse_group_role, together=True)

    def create_project_group_role(
        self, project_id: str, group_id: str, role_id: str, confirms: Callable[[GroupRole], bool]
    ) -> Receipt:
        """`confirms`: whether it is the role that was meant, since the answer may have another id of it."""
        return self._post(
            _path(PROJECTS_WITH_ROLES, project_id, "groups", group_id, "roles"),
            {"role_id": role_id},
            parsing.parse_group_role_assignment,
            lambda told: told[0] == group_id and confirms(told[1]),
        )

    def delete_project_group_role(self, project_id: str, group_id: str, role_id: str) -> Receipt:
        path = _path(PROJECTS_WITH_ROLES, project_id, "groups", group_id, "roles", role_id)
        return self._delete(path, role_id)

    # https://platform.openai.com/docs/api-reference/admin-api-keys

    def list_admin_keys(self) -> list[AdminKey]:
        keys = self._list("admin keys", ADMIN_KEYS, parsing.parse_admin_key)
        return [key for key in keys if key is not None]

    def retrieve_admin_key(self, key_id: str) -> AdminKey | None:
        return self._retrieve(_path(ADMIN_KEYS, key_id), key_id, parsing.parse_admin_key)

    @sensitive_variables("answer", "secret")
    def create_admin_key(self, name: str, life: timedelta | None) -> NewCredential:
        """Without `life` it never expires."""
        seconds = {"expires_in_seconds": int(life.total_seconds())} if life else {}
        reply, answer = self._write("POST", ADMIN_KEYS, {"name": name, **seconds})
        secret = answer.get("value")
        shown = {field: value for field, value in answer.items() if field != "value"}
        try:
            key = parsing.parse_admin_key(shown, "The answer")
        except Unreadable as problem:
            raise _unknown(str(problem), reply) from None
        if key is None or key.facts.name != name or not isinstance(secret, str):
            raise _unknown("The answer does not show the key that was asked for", reply)
        return NewCredential(key.facts, secret)

    def delete_admin_key(self, key_id: str) -> Receipt:
        return self._delete(_path(ADMIN_KEYS, key_id), key_id)

    # https://platform.openai.com/docs/api-reference/audit-logs

    def list_audit_logs(
        self, since: datetime, types: Iterable[str], *, of_tenant: bool, pages: int
    ) -> list[Event]:
        """So many pages at most. Events of the tenant are listed apart from those of the organization."""
        asked: dict[str, str | list[str]] = {
            "effective_at[gte]": str(int(since.timestamp())),
            "event_types[]": [*types],
        }
        if of_tenant:
            asked["tenant_only"] = "true"
        found = self._list("events of the audit log", AUDIT_LOGS, parse_event, asked, pages)
        return [event for event in found if event is not None]

    # -- reading

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """Inside, no list is read twice."""
        self._seen = {}
        try:
            yield
        finally:
            self._seen = None

    def side_by_side(self, reads: Sequence[Callable[["OpenAIClient"], Value]]) -> list[Value]:
        """What does not wait for each other, a few at a time. All in the order of the reads, proofs too."""
        if len(reads) == 1:
            return [reads[0](self)]
        clients = [self._one_beside() for _ in reads]
        found: dict[int, Value] = {}
        with Errands() as errands:
            for place, value in errands.each(range(len(reads)), lambda place: reads[place](clients[place])):
                found[place] = value
        for client in clients:
            self.simulated = self.simulated or client.simulated
            for proof in client.listings:
                self._prove(proof, together=proof.name in client._together)
        return [found[place] for place in range(len(reads))]

    def _one_beside(self) -> "OpenAIClient":
        client = OpenAIClient(self._transport, self._progress)
        client._seen = self._seen
        return client

    def _prove(self, proof: Listing, *, together: bool) -> None:
        if together and self.listings and self.listings[-1].name == proof.name:
            proof = self.listings.pop().followed_by(proof)
        self.listings.append(proof)

    def peek(self, name: str, path: str) -> Page:
        """One row of a list: enough to see that it may be read, and that OpenAI is what answers."""
        reply = self._read(path, {"limit": "1"})
        try:
            return parsing.parse_page(reply.body, f"The list of {name}")
        except Unreadable as problem:
            raise _incomplete(problem, reply) from None

    def _list(
        self,
        name: str,
        path: str,
        parse: Parse[Value],
        asked: Query | None = None,
        most_pages: int | None = None,
        *,
        together: bool = False,
        identify: Parse[str] = parsing.row_id,
        quickly: quick.Reader[Any, Value] | None = None,
    ) -> list[Value]:
        """`asked`: what the list is narrowed or widened by. Only with `most_pages` may it be left unread.
        `together`: proven as one with the lists of the same name that were read just before. `identify`: by
        what no row may come twice. `quickly`: a way to read pages that have nothing unusual in them.
        """
        if self._seen is not None and path in self._seen:
            return self._seen[path]
        walk, started = Walk(name), time.monotonic()
        found: list[Value] = []
        asked = {"limit": "100", **(asked or {})}
        answer: Callable[[], Reply] | None = partial(self._transport.read, path, asked)
        while answer:
            reply, place = self._readable(answer()), walk.place
            try:
                page = quickly and quickly.read(reply.body)
                page = page or read_page(reply.body, place, parse, identify)
                cursor = walk.take(page.page, page.ids)
                # While the rows are made sense of, the next page is already on its way.
                answer = None
                if cursor is not None and walk.pages != most_pages:
                    answer = self._transport.read_ahead(path, {**asked, "after": cursor})
                found += page.values()
            except Unreadable as problem:
                raise _incomplete(problem, reply) from None
            at_home(partial(self._progress, f"Read {walk.items} {name}."))
        seconds = time.monotonic() - started
        proof = Listing(name, walk.pages, walk.items, walk.first_id, walk.last_id, seconds)
        self._prove(proof, together=together)
        if together:
            self._together.add(name)
        elif self._seen is not None:
            self._seen[path] = found
        return found

    def _retrieve(
        self, path: str, subject_id: str, parse: Parse[Value], identify: Parse[str] = parsing.row_id
    ) -> Value | None:
        """None only where OpenAI itself says that there is no such thing."""
        reply = self._hear(self._transport.read(path))
        if reply.status == 404 and parsing.parse_refusal(reply.body):
            return None
        if not reply.ok:
            raise self._refusal(reply, ReadIncomplete)
        try:
            answer = parsing.parse_object(reply.body, "The answer")
            found, told_of = parse(answer, "The answer"), identify(answer, "The answer")
        except Unreadable as problem:
            raise _incomplete(problem, reply) from None
        if told_of != subject_id:
            raise _incomplete("The answer is about another than was asked for", reply)
        return found

    def _read(self, path: str, query: Query) -> Reply:
        return self._readable(self._transport.read(path, query))

    def _readable(self, reply: Reply) -> Reply:
        if not self._hear(reply).ok:
            raise self._refusal(reply, ReadIncomplete)
        return reply

    # -- writing

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        parse: Parse[Value],
        confirms: Callable[[Value], bool],
        account_id: Callable[[Value], str | None] = lambda _: None,
    ) -> Receipt:
        reply, answer = self._write("POST", path, body)
        try:
            value = parse(answer, "The answer")
        except Unreadable as problem:
            raise _unknown(str(problem), reply) from None
        if not confirms(value):
            raise _unknown("The answer tells of something else than was asked for", reply)
        return Receipt(reply.request_id, account_id(value))

    def _create(self, path: str, name: str, parse: Parse[Entitlement]) -> Receipt:
        """Whatever OpenAI made of the name, the id is that of what it made."""
        return self._post(path, {"name": name}, parse, lambda _: True, account_id=lambda made: made.id)

    def _delete(self, path: str, subject_id: str) -> Receipt:
        reply, answer = self._write("DELETE", path)
        if not parsing.is_deletion(answer, subject_id):
            raise _unknown("The answer does not say that the deletion was done", reply)
        return Receipt(reply.request_id)

    def _write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[Reply, Row]:
        reply = self._hear(self._transport.write(method, path, body))
        if not reply.ok:
            raise self._refusal(reply, ActionRejected)
        try:
            return reply, parsing.parse_object(reply.body, "The answer")
        except Unreadable as problem:
            raise _unknown(str(problem), reply) from None

    # -- answers

    def _hear(self, reply: Reply) -> Reply:
        self.simulated = self.simulated or "x-cakewalk-simulated" in reply.headers
        return reply

    def _refusal(self, reply: Reply, otherwise: type[ConnectorError]) -> ConnectorError:
        facts: dict[str, Any] = {"status": reply.status, "request_id": reply.request_id}
        said = self._transport.redacted(parsing.parse_refusal(reply.body) or "")
        quoted = f": {said}" if said else f" (status {reply.status})."
        if reply.status == 403 or (reply.status == 401 and _lacks_scope(said)):
            return PermissionMissing(f"OpenAI does not permit this to the API key{quoted}", **facts)
        if reply.status == 401:
            return CredentialRejected(f"OpenAI does not accept the API key{quoted}", **facts)
        if said:
            return otherwise(f"OpenAI refused this{quoted}", **facts)
        strange = f"{self._transport.host} does not answer like the OpenAI API (status {reply.status})"
        return _unknown(strange, reply) if otherwise is ActionRejected else _incomplete(strange, reply)


def read_page(body: bytes, place: str, parse: Parse[Value], identify: Parse[str]) -> quick.Found[Value]:
    page = parsing.parse_page(body, place)
    rows = _each(page.rows, parsing.parse_row, place)
    return quick.Found(page, _each(rows, identify, place), partial(_each, rows, parse, place))


def _each(rows: Iterable[Any], parse: Parse[Value], page: str) -> list[Value]:
    """What the rows of a page say. Where one makes no sense they are looked at once more, to say which: to
    put the place of each row into words takes as long as to read it.
    """
    try:
        return [parse(row, "") for row in rows]
    except Unreadable:
        for number, row in enumerate(rows, start=1):
            parse(row, f"{page}, row {number},")
        raise


def in_project(what: str, collection: str = PROJECTS) -> Callable[[str], str]:
    """The path of a list that each project has, by the project's id."""
    return lambda project_id: _path(collection, project_id, what)


def _path(*parts: str) -> str:
    """Ids go in percent-encoded. An empty or dotted one would make it another address."""
    collection, *rest = parts
    if not all(part.strip(".") for part in rest):
        raise ValueError(f"{'/'.join(parts)}: an id is missing.")
    return "/".join([collection, *(quote(part, safe="") for part in rest)])


def _parse_invite(row: Row, place: str) -> Account | None:
    return parsing.parse_invite(row, place, datetime.now(UTC))


def _invite_or_acceptance(row: Row, place: str) -> Account | Acceptance | None:
    return _parse_invite(row, place) or parsing.parse_acceptance(row, place)


def _told(invite: Account) -> tuple[str, str | None]:
    return (invite.email or "").casefold(), invite.role


def _lacks_scope(said: str) -> bool:
    """OpenAI answers 401 and not 403 when a key exists and lacks a scope."""
    return "missing scope" in said.lower() or "insufficient permission" in said.lower()


def _incomplete(problem: object, reply: Reply) -> ReadIncomplete:
    return ReadIncomplete(f"{problem}.", status=reply.status, request_id=reply.request_id)


def _unknown(problem: str, reply: Reply) -> OutcomeUnknown:
    sentence = f"{problem}. Whether the change was made is unknown."
    return OutcomeUnknown(sentence, status=reply.status, request_id=reply.request_id)
