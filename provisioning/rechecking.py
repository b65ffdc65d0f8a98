"""Just before an action: is it still allowed, still wanted, and is its subject still what the plan saw?

An approval may come days after its plan, and a worker may be an hour behind it.
"""

from collections.abc import Callable, Generator
from functools import partial

from django.utils import timezone

from directory import snapshot
from directory.emails import email_key
from directory.models import Person, PersonEmail
from directory.time_zones import today
from integrations.connectors.base import Account, AccountState, Connector, Grant, Key, Vocabulary
from integrations.models import Integration
from provisioning import accounts, drafting, group_planning, safety
from provisioning.actions import Kind, Situation
from provisioning.models import AccessRule, Action, GroupRule, Mark
from provisioning.policy import Policy, Target, resolve
from provisioning.reviews.models import Exclusion
from provisioning.safety import Code, Reason
from provisioning.sight import Sight, entitlement_of

State = Action.State

Seen = Account | Grant | Key | None
Look = Callable[[], Seen]


class NotNow(Exception):
    """The action is not carried out: `state` is what becomes of it, the message says why."""

    def __init__(self, state: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.state = state
        self.code = code


def recheck(row: Action, connector: Connector, sight: Sight | None) -> Generator[Look, Seen, None]:
    """Raises NotNow. `sight`: how the remote was when an older plan was taken up again.

    Before something is taken, it says how to look at its subject once more, and is told what was seen. The
    job's integration is as it is now: applying reads it anew before each action.
    """
    integration = row.job.integration
    _check_mode(row, integration)
    if row.kind == Kind.CREATE:
        _check_still_missing(row, integration, connector)
        return
    if row.holder:
        _check_group(row, integration, connector)
        return
    _check_marks(row, integration)
    if not _asked_by_people(row):
        _check_wanted(row, integration, connector.vocabulary)
    if row.taking:
        _check_subject(row, (yield partial(_subject, row, connector)))
        _check_owners(row, integration, connector)
    elif row.kind == Kind.INVITE and row.needs is None and sight is not None:
        _check_absent(row, sight)


def _refuse(reason: Reason) -> NotNow:
    return NotNow(State.REFUSED, reason.code, reason.detail)


def stale(detail: str) -> NotNow:
    return NotNow(State.STALE, "stale", detail)


def _already_so(detail: str) -> NotNow:
    return NotNow(State.SKIPPED, "already_so", detail)


# -- asked of the database


def _check_mode(row: Action, integration: Integration) -> None:
    if reason := safety.beyond_mode(integration.mode, taking=row.taking):
        raise NotNow(State.SKIPPED, reason.code, reason.detail)


def _check_marks(row: Action, integration: Integration) -> None:
    marks = Mark.objects.filter(integration=integration).in_force(today())
    for key in [email_key(row.email), *_addresses(row)]:
        mark = marks.get(key)
        # Who is ignored by syncs may be restored: that is how they keep what no rule gives.
        if mark and not (row.job.restores_id and mark.kind == Mark.Kind.IGNORED):
            marked = f"{row.email} has been marked {mark.kind} since the plan was made."
            raise _refuse(Reason(Code.PROTECTED, marked))


def _check_group(row: Action, integration: Integration, connector: Connector) -> None:
    """That the rules still ask for it, and before a taking that nobody in the group is protected by now and
    that the group still has it.
    """
    place, role = group_planning.told_of(row.before or row.after or {})
    rules = integration.group_rules.filter(state=GroupRule.State.ACTIVE).as_values()
    group = (row.holder or {})["name"]
    if not row.job.restores_id and not group_planning.still_asks(rules, row.kind, group, place, role):
        raise stale("The rules for groups have changed since the plan was made.")
    if not row.taking:
        return
    marks = Mark.objects.filter(integration=integration).in_force(today())
    known = integration.accounts.filter(remote_id__in=row.members).values_list("email", flat=True)
    marked = [marks.get(email_key(email)) for email in known if email]
    if protected := sum(mark is not None and mark.kind == Mark.Kind.PROTECTED for mark in marked):
        raise _refuse(safety.protected_in_group(group, protected))
    if not connector.group_holds((row.holder or {})["id"], entitlement_of(row)):
        raise _already_so("The group no longer holds it.")


def _addresses(row: Action) -> list[str]:
    return list(PersonEmail.objects.filter(person=row.person_id).values_list("key", flat=True))


def _check_wanted(row: Action, integration: Integration, vocabulary: Vocabulary) -> None:
    """The directory and the rules as they are now must still ask for it."""
    person = Person.objects.filter(pk=row.person_id).first() if row.person_id else None
    if person is None:
        _check_still_nobodys(row)
        return
    asked = _way_for(row) if _makes_way(row) else row
    target = _target(asked, person, integration, vocabulary)
    if not WANTS[Kind(asked.kind)](asked, target):
        now = f"what the rules now give is {target.role}" if target else "no rule gives access now"
        raise stale(f"The directory or the rules have changed since the plan was made: {now}.")


def still_wanted(row: Action, integration: Integration, vocabulary: Vocabulary) -> bool:
    """Whether the directory and the rules ask for it, or a restore or a review, which do not ask them."""
    if _asked_by_people(row):
        return True
    try:
        _check_wanted(row, integration, vocabulary)
    except NotNow:
        return False
    return True


def _asked_by_people(row: Action) -> bool:
    """What a review's job sweeps up after it is asked for by the rules, as ever."""
    return row.job.restores_id is not None or row.situation == Situation.REVIEWED


def _check_still_nobodys(row: Action) -> None:
    if Person.objects.with_email(row.email).exists():
        raise stale(f"{row.email} is somebody's in the directory now.")
    if row.kind not in (Kind.REMOVE, Kind.WITHDRAW_INVITE, Kind.REVOKE, Kind.REVOKE_KEY):
        raise stale(f"{row.email} is nobody's in the directory any more.")


def _makes_way(row: Action) -> bool:
    """Whether an invite is withdrawn for a new one, which then tells what is wanted."""
    return row.kind == Kind.WITHDRAW_INVITE and row.situation != Situation.LEAVER


def _way_for(row: Action) -> Action:
    """The new invite. Before it goes the one that it replaces, and after it those that lapsed earlier."""
    first = row.seq if row.needs is None else row.needs
    return row.job.actions.get(kind=Kind.INVITE, needs=first)


def _target(row: Action, person: Person, integration: Integration, vocabulary: Vocabulary) -> Target | None:
    rules = integration.rules.filter(state=AccessRule.State.ACTIVE).as_values()
    held = [entitlement_of(row)] if row.entitlement and row.kind != Kind.REVOKE_KEY else []
    groups = frozenset(person.memberships.values_list("group", flat=True))
    active = person.is_active_at(timezone.now())
    now = snapshot.Person(person.pk, person.email, (), active=active, groups=groups)
    exceptions = Exclusion.objects.in_force().filter(integration=integration, person=person).as_values()
    return Policy(rules, vocabulary, resolve(rules, held), exceptions=exceptions).target_for(now)


def _wants_role(row: Action, target: Target | None) -> bool:
    return target is not None and target.role == row.role


def _wants_grant(row: Action, target: Target | None) -> bool:
    return target is not None and target.grants.get(_key(row)) == row.role


def _wants_no_grant(row: Action, target: Target | None) -> bool:
    return target is None or _key(row) not in target.grants


def _wants_nothing(_: Action, target: Target | None) -> bool:
    return target is None


def _key(row: Action) -> tuple[str, str]:
    held = entitlement_of(row)
    return held.kind, held.id


WANTS: dict[Kind, Callable[[Action, Target | None], bool]] = {
    Kind.INVITE: _wants_role,
    Kind.WITHDRAW_INVITE: _wants_nothing,
    Kind.CHANGE_ROLE: _wants_role,
    Kind.REMOVE: _wants_nothing,
    Kind.GRANT: _wants_grant,
    Kind.CHANGE_GRANT: _wants_grant,
    Kind.REVOKE: _wants_no_grant,
    Kind.REVOKE_KEY: _wants_nothing,
}


# -- asked of the remote


def _check_still_missing(row: Action, integration: Integration, connector: Connector) -> None:
    """The rules must still want it to be made, and none of that name be there, of whatever state."""
    wanted = entitlement_of(row)
    name = (wanted.kind, wanted.name.casefold())
    rules = integration.rules.filter(state=AccessRule.State.ACTIVE).as_values()
    if name not in resolve(rules, ()).missing:
        raise stale("The rules have changed since the plan was made: none wants it to be made now.")
    same = Sight(connector, whole=False).entitlements_named(wanted.kind, wanted.name)
    if same:
        why = f" It is left alone: {same[0].unmanageable}." if same[0].unmanageable else ""
        raise _already_so(f"There is a {wanted.kind} named {same[0].name!r} now.{why}")


def _check_absent(row: Action, sight: Sight) -> None:
    there = sight.account_of(row.email, *_addresses(row))
    if there and there.state is not AccountState.EXPIRED:
        how = "a member" if there.state is AccountState.ACTIVE else "invited"
        raise _already_so(f"{there.email} is {how} already.")


def _subject(row: Action, connector: Connector) -> Seen:
    """What is to lose, or be lost, as it is now."""
    if row.kind == Kind.REVOKE_KEY:
        return connector.fetch_key(entitlement_of(row).id)
    if row.entitlement:
        held = entitlement_of(row)
        return connector.fetch_grant(row.account_id or "", held.kind, held.id)
    state = AccountState((row.before or {}).get("state", AccountState.ACTIVE))
    return connector.fetch_account(row.account_id or "", state)


def _check_subject(row: Action, seen: Seen) -> None:
    match seen:
        case None:
            raise _gone(row)
        case Key():
            if seen.owner_id != row.account_id:
                raise stale("The key has another owner now.")
        case Grant():
            planned = (row.before or {}).get("role")
            if seen.role != planned:
                raise stale(f"The role there was {planned}, now it is {seen.role}.")
        case Account():
            _check_differences(row, seen)


def _gone(row: Action) -> NotNow:
    already = {
        Kind.REVOKE_KEY: "The key is no longer there.",
        Kind.REVOKE: "The account no longer holds it.",
        Kind.REMOVE: "The account is no longer there.",
    }
    if row.kind in already:
        return _already_so(already[Kind(row.kind)])
    if row.entitlement:
        return stale(f"The role there was {(row.before or {}).get('role')}, now it is none.")
    return stale("It is no longer there: withdrawn, accepted or removed since the plan was made.")


def _check_differences(row: Action, subject: Account) -> None:
    before = row.before or {}
    if subject.role != before.get("role"):
        raise stale(f"The role was {before.get('role')}, now it is {subject.role}.")
    if subject.email and email_key(subject.email) != email_key(row.email):
        raise stale(f"The address is now {subject.email}.")
    if "state" in before and subject.state != before["state"]:
        raise stale(f"The account was {before['state']}, now it is {subject.state}.")
    if subject.managed_elsewhere:
        raise stale("The account is now fed by the remote's own SCIM directory.")


def _check_owners(row: Action, integration: Integration, connector: Connector) -> None:
    """The key's owner and the minimum of owners, by what is true now and not when the plan was made."""
    unseats = unseats_owner(row, connector.vocabulary.owner_role)
    key_owner = drafting.credential_owner(integration, connector, asked=unseats)
    if row.account_id == key_owner:
        raise _refuse(safety.owns_the_key(row.email))
    if not unseats:
        return
    if key_owner is None:
        raise _refuse(safety.may_own_the_key(row.email))
    others = _other_owners(row, integration, connector)
    if others < integration.minimum_owners:
        raise _refuse(safety.too_few_owners(row.email, others, integration.minimum_owners))


def unseats_owner(row: Action, owner_role: str) -> bool:
    """Whether somebody who was an owner when the plan was made would be none any more."""
    ends_it = row.taking and row.kind in (Kind.REMOVE, Kind.CHANGE_ROLE)
    return ends_it and (row.before or {}).get("role") == owner_role


def _other_owners(row: Action, integration: Integration, connector: Connector) -> int:
    """As many as are needed, each read afresh: one call per owner, and none for the rest."""
    found = 0
    for account_id in accounts.known_owners(integration, connector.vocabulary.owner_role):
        if found == integration.minimum_owners:
            break
        if account_id != row.account_id:
            owner = connector.fetch_account(account_id, AccountState.ACTIVE)
            found += owner is not None and owner.role == connector.vocabulary.owner_role
    return found
