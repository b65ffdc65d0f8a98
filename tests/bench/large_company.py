"""A company with a million actions, and how long each page of its admin takes in this process, without a
network or a browser, before and after it has grown so. The part `pages` of `make bench` runs it, through
`manage.py shell`, on a new and empty database.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import importlib
import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import unquote_plus

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client

from cakewalk.models import User
from directory.models import Membership, Person, PersonEmail
from provisioning.models import Account, Action, ProvisioningJob
from tests.admin.builders import ACTIONS, Company, actions, job
from tests.admin.pages import address, page_names
from tests.admin.roles import SHOWN_TO, SUPERUSER

JOBS, ACTIONS_OF_A_JOB = 10_000, 100
PEOPLE = 100_000
RULES, PROJECTS = 200, 500
PREVIEW = "(n.i % 20 = 0)"
"""Which jobs were no more than that."""
TRIES = 3

HISTORY = "admin:provisioning_action_changelist"
QUESTIONS = (
    "who=p77777@large.example.org",
    "who=p77777@large.example.org&until=2999-01-01",
    "who=p7777",
    "who=p7",
    "who=nobody@large.example.org",
    "who=user-large-77777",
    "rule=Rule+7",
    "rule=Rule",
    "held=Project+7",
    "rule=Rule+7&held=Project+7",
    "rule=Rule+7&held=Project+8",
    "rule=Rule&held=Project&state=stale",
    "kind=remove",
    "kind=changes&state=failed",
    "kind=invite&situation=leaver",
    "state=stale",
    "state=held",
    "situation=leaver&state=done",
    "since=2026-01-01&until=2026-01-07",
    "since=2020-01-01&state=stale",
    "by=chief",
    "by=chief&part=approved",
    "by=:schedule",
    "previews=yes",
    "previews=yes&state=failed",
    "who=p77777@large.example.org&rule=Rule&held=Project&kind=remove&by=chief&since=2020-01-01",
)
"""What the history is asked: each field, the usual ones together, and questions without an answer."""


def tell() -> None:
    """Seconds by the page's name, small and large, as JSON."""
    settings.ALLOWED_HOSTS.append("testserver")
    with transaction.atomic():
        company = Company(secret="sk-admin-made-up", base_url="http://127.0.0.1:9/v1")
        company.grow(20)
    small = dict(_pages(company))
    _multiply_all(company)
    print(json.dumps({"small": small, "large": dict(_pages(company))}))


def _multiply_all(company: Company) -> None:
    with transaction.atomic():
        kinds = [kind for kind in ACTIONS for _ in range(-(-ACTIONS_OF_A_JOB // len(ACTIONS)))]
        pattern = job(company.acme)
        actions(pattern, [(kind, "done") for kind in kinds[:ACTIONS_OF_A_JOB]], known_at=pattern.requested_at)
        first = ProvisioningJob.objects.latest("pk").pk + 1
        unique = "gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))"
        at = _ago("minute", f"({JOBS} - n.i) * 50")
        _multiply(
            pattern,
            JOBS,
            id=f"{first} + n.i",
            public_id=unique,
            requested_at=at,
            preview=f"{PREVIEW}{'' if connection.vendor == 'postgresql' else ' + 0'}",
        )
        _multiply(
            pattern.actions.earliest("pk"),
            JOBS,
            where=f"t.job_id = {pattern.pk}",
            job_id=f"{first} + n.i",
            email="'p' || (n.i * 10 + t.seq % 10) || '@large.example.org'",
            account_id="'user-large-' || (n.i * 10 + t.seq % 10)",
            rule=f"'Rule ' || (n.i % {RULES})",
            entitlement=_called_otherwise("entitlement"),
            before=_called_otherwise("before"),
            state=f"CASE WHEN {PREVIEW} THEN 'planned' WHEN t.seq = 77 THEN 'failed' ELSE t.state END",
            finished_at=f"CASE WHEN {PREVIEW} THEN NULL ELSE {at} END",
        )
        ada = company.rows["directory_person"]
        pk = Person.objects.latest("pk").pk + 1
        email = "'p' || n.i || '@large.example.org'"
        _multiply(ada, PEOPLE, id=f"{pk} + n.i", public_id=unique, email=email)
        _multiply(
            PersonEmail.objects.get(key=ada.email), PEOPLE, person_id=f"{pk} + n.i", address=email, key=email
        )
        _multiply(Membership.objects.filter(person=ada).earliest("pk"), PEOPLE, person_id=f"{pk} + n.i")
        found = company.rows["provisioning_account"]
        _multiply(found, PEOPLE, remote_id="'user-large-' || n.i", email=email, person_id=f"{pk} + n.i")
    print(
        f"{Action.objects.count():,} actions, {ProvisioningJob.objects.count():,} jobs, "
        f"{Account.objects.count():,} accounts, {PersonEmail.objects.count():,} addresses",
        file=sys.stderr,
    )
    _note_names()
    if connection.vendor == "postgresql":  # as autovacuum does after so many rows
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def _note_names() -> None:
    """As the migration does in an installation that is as large as this one."""
    began = time.perf_counter()
    migration = importlib.import_module("provisioning.search.migrations.0002_mentions")
    migration.note(apps, connection.schema_editor())
    print(f"Their names noted in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _called_otherwise(column: str) -> str:
    """The same with another name for its project, as SQL."""
    is_json = connection.vendor == "postgresql"
    as_text, as_json = ("::text", "::jsonb") if is_json else ("", "")
    return f"replace(t.{column}{as_text}, 'Search', 'Project ' || (n.i % {PROJECTS})){as_json}"


def _ago(unit: str, number: str) -> str:
    """So long before now, as SQL."""
    if connection.vendor == "postgresql":
        return f"now() - ({number}) * interval '1 {unit}'"
    return f"datetime('now', '-' || ({number}) || ' {unit}s')"


def _multiply(row: Model, number: int, *, where: str = "", **other: str) -> None:
    """So many copies of a row, or of all `where`, with other values in some columns, as SQL: `n.i` counts."""
    model = type(row)
    columns = [field.column for field in model._meta.concrete_fields if field.column not in ("id", *other)]
    table, into = model._meta.db_table, ", ".join(f'"{name}"' for name in [*other, *columns])
    values = ", ".join([*other.values(), *(f't."{name}"' for name in columns)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {number}) "  # noqa: S608
            f'INSERT INTO "{table}" ({into}) SELECT {values} FROM "{table}" t CROSS JOIN n '
            f"WHERE {where or f't.id = {row.pk}'}"
        )
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM \"{table}\"))"  # noqa: S608
            )


def _pages(company: Company) -> Iterator[tuple[str, float]]:
    client = Client()
    client.force_login(User.objects.get(username="chief"))
    for name in page_names():
        if SUPERUSER not in SHOWN_TO[name] or "export" in name:  # these stream, for as long as there are rows
            continue
        where = address(name, company)
        yield _called(name), _took(client, where)
        if name == HISTORY:
            for query in QUESTIONS:
                yield f"history, {unquote_plus(query)}", _took(client, f"{where}?{query}")
        elif name.endswith("_changelist"):
            yield f"{_called(name)}, a search", _took(client, f"{where}?q=p77777")


def _called(name: str) -> str:
    """`provisioning: action list` of `admin:provisioning_action_changelist`."""
    return name.removeprefix("admin:").replace("_changelist", " list").replace("_", " ")


def _took(client: Client, where: str) -> float:
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = client.get(where)
        taken.append(time.perf_counter() - began)
        if answer.status_code not in (200, 302):
            raise SystemExit(f"{where} answered {answer.status_code}")
    return min(taken)
