"""People as SCIM users: found, shown, and written."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from scim2_models import (
    Meta,
    PreconditionFailedException,
    Resource,
    ResponseParameters,
    UniquenessException,
)

from directory import revising
from directory.emails import email_key
from directory.models import Membership, Person, PersonEmail
from directory.scim import queries
from directory.scim.mapping import Entry, entry_of, text_key
from directory.scim.models import GroupRecord, UserQuerySet, UserRecord
from directory.scim.schemas import PROVIDER, USER, User
from directory.scim.session import Session, wants

MODEL: Any = PROVIDER.model_for(USER)

NOT_KEPT = ("id", "meta", "groups", "password")
"""What is ours to say; and the password, which is of no use here."""


class Users:
    lookups = {
        "id": queries.by_id("person__public_id"),
        "username": queries.without_case("user_name_key"),
        "externalid": queries.with_case("external_id"),
        "displayname": queries.without_case("display_name_key"),
        "emails": queries.by_address("person__addresses__key"),
        "emails.value": queries.by_address("person__addresses__key"),
    }

    def __init__(self, session: Session) -> None:
        self.session = session
        self.source = session.source

    # -- reading

    def records(self) -> UserQuerySet:
        return UserRecord.objects.of(self.source).select_related("person").order_by("pk")

    def shown(
        self, records: Iterable[UserRecord], parameters: ResponseParameters[Any] | None = None
    ) -> list[Resource[Any]]:
        found = list(records)
        groups = self._groups_of(found) if wants(parameters, "groups") else {}
        return [_resource(record, groups.get(record.person_id, [])) for record in found]

    def get(self, id: str, parameters: ResponseParameters[Any] | None = None) -> Resource[Any]:
        return self.shown([self._record(id)], parameters)[0]

    def _record(self, id: str | None) -> UserRecord:
        return queries.one(self.records(), self.lookups, id, "user")

    def _groups_of(self, records: Iterable[UserRecord]) -> Mapping[int, list[dict[str, str]]]:
        people = [record.person_id for record in records]
        member, of = "group__memberships__person_id", GroupRecord.objects.filter(source=self.source)
        rows = of.filter(group__memberships__person__in=people).order_by("pk")
        groups: dict[int, list[dict[str, str]]] = defaultdict(list)
        for person_id, public_id, name in rows.values_list(member, "public_id", "display_name"):
            groups[person_id].append(
                {"value": str(public_id), "$ref": f"Groups/{public_id}", "display": name, "type": "direct"}
            )
        return groups

    # -- writing

    def create(self, user: User[Any]) -> Resource[Any]:
        entry = entry_of(user)
        self._check_user_name(user)
        record = self._returning(user, entry)
        if record is None:
            person = Person(source=self.source)
            record = UserRecord(person=person)
        record.source, record.deleted_at = self.source, None
        record.created_at = self.session.now
        self._write(record, user, entry)
        return self.shown([record])[0]

    def update(self, user: User[Any], expected_version: str | None) -> Resource[Any]:
        record = self._record(user.id)
        _check_version(record, expected_version)
        entry = entry_of(user)
        self._check_user_name(user, besides=record)
        self._write(record, user, entry)
        return self.shown([record])[0]

    def delete(self, id: str, expected_version: str | None) -> None:
        """Not from our record: the person stays, no longer active and in no group."""
        record = self._record(id)
        _check_version(record, expected_version)
        before = revising.known([record.person_id])
        record.delete_for_client(now=self.session.now)
        record.person.active = False
        record.person.save(update_fields=["active", "updated_at"])
        Membership.objects.filter(person=record.person).delete()
        self.session.note(before, [record.person_id])

    def _check_user_name(self, user: User[Any], besides: UserRecord | None = None) -> None:
        key = text_key(user.user_name or "")
        mine = UserRecord.objects.filter(source=self.source, user_name_key=key)
        # Somebody who was handed over to another source gives the name free.
        mine.exclude(person__source=self.source).delete()
        others = mine.filter(deleted_at=None)
        if besides is not None:
            others = others.exclude(pk=besides.pk)
        if others.exists():
            raise UniquenessException(detail=f"There is a user named {user.user_name} already.")

    def _returning(self, user: User[Any], entry: Entry) -> UserRecord | None:
        """The person who comes back, by user name or address; or who was handed over to this source."""
        own = UserRecord.objects.filter(source=self.source, person__source=self.source)
        gone = own.filter(user_name_key=text_key(user.user_name or "")).exclude(deleted_at=None)
        if record := gone.select_related("person").order_by("-deleted_at").first():
            return record
        if not entry.email:
            return None
        holder = Person.objects.with_email(entry.email).filter(source=self.source).first()
        if holder is None or not _answers_to(holder, email_key(entry.email)):
            return None
        record = _record_of(holder)
        if record is None:
            return UserRecord(person=holder)
        if record.source_id == self.source.pk and record.deleted_at is None:
            raise UniquenessException(detail=f"{entry.email} already belongs to user {record}.")
        return record

    def _write(self, record: UserRecord, user: User[Any], entry: Entry) -> None:
        person = record.person
        before = revising.known([person.pk] if person.pk else [])
        addresses = self._addresses(record, entry)
        person.email = entry.email or person.email
        person.name, person.active = entry.name, entry.active
        person.department, person.title = entry.department, entry.title
        person.employee_id = entry.employee_id
        person.time_zone = entry.time_zone or person.time_zone
        person.save()
        person.claim_addresses(addresses.values())
        _fill(record, user)
        record.version += 1
        record.modified_at = self.session.now
        record.person = person  # it has a primary key now
        record.save()
        self.session.note(before, [person.pk])

    def _addresses(self, record: UserRecord, entry: Entry) -> dict[str, str]:
        """All that the person shall answer to: what is written now, and what else they answered to before.

        An address that is no longer written goes, unless it was the primary one: accounts may still be
        known by it.
        """
        person = record.person
        if not person.pk:
            self._make_free(person, entry.addresses)
            return entry.addresses
        present = dict(person.addresses.values_list("key", "address"))
        gone = _written(record).keys() - entry.addresses.keys() - {email_key(person.email)}
        kept = {key: address for key, address in present.items() if key not in gone}
        self._make_free(person, {k: a for k, a in entry.addresses.items() if k not in present})
        return kept | entry.addresses

    def _make_free(self, person: Person, wanted: Mapping[str, str]) -> None:
        """Take former addresses from others of this source. Raises UniquenessException for all others."""
        held = PersonEmail.objects.filter(key__in=wanted).exclude(person=person.pk)
        for row in held.select_related("person__source"):
            holder, address = row.person, wanted[row.key]
            if holder.source_id != self.source.pk:
                self.session.conflicts.append((address, holder))
                raise UniquenessException(
                    detail=f"{address} belongs to a person of source '{holder.source}', which only that "
                    "source changes. Cakewalk's staff see this as a conflict and can hand the person over."
                )
            if _answers_to(holder, row.key):
                raise UniquenessException(detail=f"{address} already belongs to another user.")
            before = revising.known([holder.pk])
            row.delete()
            self.session.note(before, [holder.pk])


def _resource(record: UserRecord, groups: Collection[dict[str, str]]) -> Resource[Any]:
    """As the client wrote it; but that somebody was deactivated here is not hidden from the client."""
    said = dict(record.resource)
    if not record.person.active or "active" in said:
        said["active"] = record.person.active
    if groups:
        said["groups"] = groups
    user: Resource[Any] = MODEL.model_validate(said)
    user.id = str(record.person.public_id)
    user.meta = Meta(
        resource_type=USER.name,
        created=record.created_at,
        last_modified=record.modified_at,
        version=_version(record),
    )
    return user


def _version(record: UserRecord) -> str:
    return f'W/"{record.version}{"" if record.person.active else "-inactive"}"'


def _check_version(record: UserRecord, expected: str | None) -> None:
    if expected not in (None, _version(record)):
        raise PreconditionFailedException


def _fill(record: UserRecord, user: User[Any]) -> None:
    written = user.model_dump()
    record.resource = {name: value for name, value in written.items() if name not in NOT_KEPT}
    record.user_name_key = text_key(user.user_name or "")
    record.display_name_key = text_key(user.display_name or "")
    record.external_id = user.external_id or ""


def _record_of(person: Person) -> UserRecord | None:
    return UserRecord.objects.filter(person=person).select_related("person").first()


def _written(record: UserRecord | None) -> dict[str, str]:
    return entry_of(MODEL.model_validate(record.resource)).addresses if record and record.pk else {}


def _answers_to(person: Person, key: str) -> bool:
    """Whether an address is their own, and not one that they only had before."""
    record = _record_of(person)
    return record is None or key == email_key(person.email) or key in _written(record)
