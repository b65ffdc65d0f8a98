"""Directory groups as SCIM groups: found, shown, and written. Each client sees its own people in them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet, Value
from django.db.models.functions import Lower
from scim2_models import (
    InvalidValueException,
    Meta,
    PreconditionFailedException,
    Resource,
    ResponseParameters,
    UniquenessException,
)

from cakewalk.ledger import recording as ledger
from cakewalk.ledger.verbs import Verb
from directory import revising
from directory.models import Group as DirectoryGroup
from directory.models import Membership, Person
from directory.people_table import MAX_GROUP_LENGTH
from directory.scim import queries
from directory.scim.mapping import LONGEST_NAME_IN_SCIM, check_length, check_texts, text_key
from directory.scim.models import GroupRecord
from directory.scim.schemas import GROUP, PROVIDER, Group
from directory.scim.session import Session, wants

MODEL: Any = PROVIDER.model_for(GROUP)
BATCH = 1000


class Groups:
    lookups = {
        "id": queries.by_id("public_id"),
        "externalid": queries.with_case("external_id"),
        "displayname": queries.without_case("display_name_key"),
    }

    def __init__(self, session: Session) -> None:
        self.session = session
        self.source = session.source

    # -- reading

    def records(self) -> QuerySet[GroupRecord]:
        return GroupRecord.objects.filter(source=self.source).select_related("group").order_by("pk")

    def shown(
        self, records: Iterable[GroupRecord], parameters: ResponseParameters[Any] | None = None
    ) -> list[Resource[Any]]:
        found = list(records)
        memberships = self._memberships().filter(group__in=[record.group_id for record in found])
        counted = memberships.order_by().values("group").annotate(number=Count("pk"), last=Max("pk"))
        states = {row["group"]: f"{row['number']}-{row['last']}" for row in counted}
        members = _members(memberships) if wants(parameters, "members") else {}
        return [
            _resource(record, members.get(record.group_id, []), states.get(record.group_id, "0"))
            for record in found
        ]

    def get(self, id: str, parameters: ResponseParameters[Any] | None = None) -> Resource[Any]:
        return self.shown([self._record(id)], parameters)[0]

    def _record(self, id: str | None) -> GroupRecord:
        return queries.one(self.records(), self.lookups, id, "group")

    def _people(self) -> QuerySet[Person]:
        return Person.objects.filter(
            source=self.source, scim_user__source=self.source, scim_user__deleted_at=None
        )

    def _memberships(self) -> QuerySet[Membership]:
        return Membership.objects.filter(person__in=self._people()).order_by("pk")

    # -- writing

    def create(self, group: Group) -> Resource[Any]:
        name = _name_of(group)
        self._check_name(name)
        directory_group, made = _found_or_made(name)
        if GroupRecord.objects.filter(source=self.source, group=directory_group).exists():
            raise UniquenessException(detail=f"Another group is {directory_group} in the directory already.")
        record = GroupRecord(
            source=self.source, group=directory_group, made_it=made, created_at=self.session.now
        )
        self._write(record, group)
        return self.shown([record])[0]

    def update(self, group: Group, expected_version: str | None) -> Resource[Any]:
        record = self._record(group.id)
        self._check_version(record, expected_version)
        name = _name_of(group)
        if name != record.display_name:
            self._rename(record, name)
        self._write(record, group)
        return self.shown([record])[0]

    def delete(self, id: str, expected_version: str | None) -> None:
        """The directory's group stays, for a rule may hang on it; this client's people leave it."""
        record = self._record(id)
        self._check_version(record, expected_version)
        self._set_members(record, [])
        record.delete()

    def _check_version(self, record: GroupRecord, expected: str | None) -> None:
        if expected is not None and expected != self.shown([record])[0].meta.version:  # type: ignore[union-attr]
            raise PreconditionFailedException

    def _check_name(self, name: str, besides: GroupRecord | None = None) -> None:
        same = self.records().filter(display_name_key=text_key(name))
        if besides is not None:
            same = same.exclude(pk=besides.pk)
        if same.exists():
            raise UniquenessException(detail=f"There is a group named {name} already.")

    def _rename(self, record: GroupRecord, name: str) -> None:
        """The directory's group follows only where it is this client's alone: others know it by its name."""
        self._check_name(name, besides=record)
        group = record.group
        others = group.memberships.exclude(person__source=self.source).exists()
        shared = others or group.scim_groups.exclude(pk=record.pk).exists()
        taken = _named(name).exclude(pk=group.pk).exists()
        if record.made_it and not shared and not taken:
            was, group.name = group.name, name
            group.save(update_fields=["name"])
            ledger.record(Verb.CHANGED, group, before={"name": was}, after={"name": name})

    def _write(self, record: GroupRecord, group: Group) -> None:
        record.display_name = _name_of(group)
        record.display_name_key = text_key(record.display_name)
        record.external_id = group.external_id or ""
        record.version += 1
        record.modified_at = self.session.now
        record.save()
        self._set_members(record, [_member_id(member) for member in group.members or []])

    def _set_members(self, record: GroupRecord, wanted: Sequence[str]) -> None:
        mine = self._memberships().filter(group=record.group)
        present = {
            str(public_id): (pk, person_id)
            for public_id, pk, person_id in mine.values_list("person__public_id", "pk", "person_id")
        }
        people = self._find([id for id in dict.fromkeys(wanted) if id not in present])
        gone = [present[id] for id in present.keys() - set(wanted)]
        whom = {*people, *(person_id for _, person_id in gone)}
        before = revising.known(whom)
        for start in range(0, len(gone), BATCH):
            Membership.objects.filter(pk__in=[pk for pk, _ in gone[start : start + BATCH]]).delete()
        Membership.objects.bulk_create(
            [Membership(person_id=person, group=record.group) for person in people], batch_size=BATCH
        )
        self.session.note(before, whom, record.group)

    def _find(self, ids: Sequence[str]) -> list[int]:
        found: dict[str, int] = {}
        known = [public_id for id in ids if (public_id := queries.parse_id(id))]
        for start in range(0, len(known), BATCH):
            rows = self._people().filter(public_id__in=known[start : start + BATCH])
            found |= {str(public_id): pk for public_id, pk in rows.values_list("public_id", "pk")}
        if unknown := [id for id in ids if id not in found]:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise InvalidValueException(detail=f"members: there is no user {unknown[0]}{more}.")
        return list(found.values())


def _members(memberships: QuerySet[Membership]) -> dict[int, list[dict[str, str]]]:
    members: dict[int, list[dict[str, str]]] = defaultdict(list)
    person = ("person__public_id", "person__name", "person__email")
    for group_id, public_id, name, email in memberships.values_list("group_id", *person):
        display = name or email
        members[group_id].append(
            {"value": str(public_id), "$ref": f"Users/{public_id}", "type": "User"}
            | ({"display": display} if display else {})
        )
    return members


def _resource(record: GroupRecord, members: list[dict[str, str]], state: str) -> Resource[Any]:
    said: dict[str, Any] = {"schemas": [str(Group.__schema__)], "displayName": record.display_name}
    if record.external_id:
        said["externalId"] = record.external_id
    if members:
        said["members"] = members
    group: Resource[Any] = MODEL.model_validate(said)
    group.id = str(record.public_id)
    group.meta = Meta(
        resource_type=GROUP.name,
        created=record.created_at,
        last_modified=record.modified_at,
        version=f'W/"{record.version}-{state}"',
    )
    return group


def _name_of(group: Group) -> str:
    check_texts([group.display_name or "", group.external_id or ""])
    check_length("external_id", group.external_id or "", LONGEST_NAME_IN_SCIM)
    name = group.display_name or ""
    check_length("display_name", name, MAX_GROUP_LENGTH)
    if not name.strip():
        raise InvalidValueException(detail="displayName is empty.")
    return name


def _member_id(member: Any) -> str:
    if (member.type or "User") != "User":
        raise InvalidValueException(detail="members: only users are members of groups here.")
    return member.value or ""


def _named(name: str) -> QuerySet[DirectoryGroup]:
    return DirectoryGroup.objects.annotate(lower_name=Lower("name")).filter(lower_name=Lower(Value(name)))


def _found_or_made(name: str) -> tuple[DirectoryGroup, bool]:
    if there := _named(name).first():
        return there, False
    made = DirectoryGroup.objects.create(name=name)
    ledger.record(Verb.ADDED, made, after={"name": name})
    return made, True
