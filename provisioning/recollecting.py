"""What the directory's history holds of the people for whom a plan does something, to say why."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from django.db.models import Q

from directory.bulk import batches
from directory.models import Group, Person, Revision
from directory.snapshot import Directory
from provisioning.drafting import Draft, Line
from provisioning.planning import Planner
from provisioning.reasons import ACCESS_COLUMNS, Ground, Past, Reason, Revised, find_reasons


def reasons_of(
    plan: Draft, planner: Planner, with_proposed: Planner | None, directory: Directory, *, today: date
) -> tuple[list[list[Reason]], list[list[Reason]]]:
    """Of each line that does something, those of the active rules and those of the proposed ones."""
    concerned = {
        action.person_id
        for action, _ in (*plan.decided, *plan.proposed)
        if action.writes and action.person_id is not None
    }
    past = _past_of(concerned)
    people = {person.id: person for person in directory.people if person.id in past}

    groups = _groups_named(with_proposed or planner) if past else {}

    def found(lines: Sequence[Line], by: Planner) -> list[list[Reason]]:
        ground = Ground(by.policy, by.left, groups, people, past, today)
        return [find_reasons(action, ground) if action.writes else [] for action, _ in lines]

    return found(plan.decided, planner), found(plan.proposed, with_proposed or planner)


def _groups_named(planner: Planner) -> Mapping[int, str]:
    ids = {rule.group for rule in planner.policy.rules if rule.group is not None}
    return dict(Group.objects.filter(pk__in=ids).values_list("pk", "name"))


def _past_of(ids: Iterable[int]) -> dict[int, Past]:
    found: dict[int, Past] = {}
    for some in batches(sorted(ids)):
        revisions = _revisions_of(some)
        rows = Person.objects.filter(pk__in=some).values_list("pk", "active", "start_date", "end_date")
        for pk, active, start_date, end_date in rows:
            found[pk] = Past(active, start_date, end_date, tuple(revisions[pk]))
    return found


def _revisions_of(ids: Collection[int]) -> Mapping[int, list[Revised]]:
    found: dict[int, list[Revised]] = defaultdict(list)
    about = Q()
    for column in ACCESS_COLUMNS:
        about |= Q(fields__has_key=column)
    rows = Revision.objects.filter(about, person__in=ids).order_by("-pk")
    for person_id, at, by, fields in rows.values_list("person_id", "at", "by", "fields"):
        kept = {column: fields[column] for column in ACCESS_COLUMNS if column in fields}
        found[person_id].append(Revised(at.isoformat(), by, kept))
    return found
