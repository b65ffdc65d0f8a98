"""A company with a million actions, and how long each page of its admin takes in this process, without a
network or a browser, before and after it has grown so. The part `pages` of `make bench` runs it, through
`manage.py shell`, on a new and empty database.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry, Head
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.models import Membership, Person, PersonEmail
from integrations.models import Integration
from provisioning.models import AccessRule, Action, ProvisioningJob
from provisioning.search import mentions
from provisioning.search.models import Name
from tests.admin.builders import ACTIONS, Company, actions, job
from tests.admin.pages import address, page_names
from tests.admin.roles import SHOWN_TO, SUPERUSER
from tests.bench import memory

JOBS, ACTIONS_OF_A_JOB = 10_000, 100
PEOPLE = 100_000
RULES, PROJECTS = 200, 500
ENTRIES = 1_000_000
LINES_OF_A_REVIEW = 50_000
KEYS = 20_000
ALARMS = 10_000
PREVIEW = "(n.i % 20 = 0)"
"""Which jobs were no more than that."""
TRIES = 2
EXPORT_SECONDS = 3.0
"""An export that takes longer is left off then."""
WHOLE_SECONDS = 900.0
"""The same where it is to be sent to its end."""
BEGUN = 1000
"""Bytes of an export in which there is more than the columns' names. Of a workbook, which is packed, any."""
METRICS_TOKEN = "made up for this"

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
LEDGER = "admin:ledger_entry_changelist"
ASKED_OF_THE_LEDGER = (
    "who=p77777@large.example.org",
    "who=p77777@large.example.org&verb=row.changed&since=2026-01-01",
    "who=nobody@large.example.org",
    "actor=chief",
    "actor=nobody",
    "verb=row.changed",
    "verb=export.begun&since=2020-01-01",
    "since=2026-01-01&until=2026-01-07",
)
SEARCHED_BY_FORM = {HISTORY: ("history", QUESTIONS), LEDGER: ("ledger", ASKED_OF_THE_LEDGER)}


def tell(*, whole: bool = False) -> None:
    """Seconds by the page's name, small and large, and what exports take, as JSON. `whole`: the whole history
    is sent as well, in each form, which takes minutes.
    """
    import_module("cakewalk.wsgi")  # as in a web server
    settings.ALLOWED_HOSTS.append("testserver")
    settings.METRICS_TOKEN = METRICS_TOKEN
    company = small()
    told = {"small": dict(_pages(company)), "small exports": dict(_exports(company))}
    multiply(company)
    told |= {"large": dict(_pages(company)), "large exports": dict(_exports(company))}
    told["whole exports"] = dict(_whole_exports()) if whole else {}
    print(json.dumps(told))


def small() -> Company:
    # Nobody signs in with these passwords: to hash forty of them well takes longer than all the rest.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with transaction.atomic():
        company = Company(secret="sk-admin-made-up", base_url="http://127.0.0.1:9/v1")
        company.grow(20)
    return company


def multiply(company: Company) -> None:
    with transaction.atomic():
        first_person = _more_people(company)
        _more_jobs(company, first_person)
        _more_to_review(company)
        _more_entries(company)
        # The last read has seen all of them.
        Integration.objects.filter(pk=company.acme.pk).update(accounts_read_at=timezone.now())
        _more_of(company.rows["provisioning_key"], KEYS, remote_id="'key-large-' || n.i")
        alarm = company.rows["alarms_alarm"]
        _more_of(alarm, ALARMS, public_id=_UNIQUE, subject="'large ' || n.i", closed_at=_ago("minute", "n.i"))
        _more_of(company.rows["alarms_delivery"], ALARMS, number="1000 + n.i", state="'sent'")
    if IS_POSTGRESQL:  # as autovacuum does after so many rows
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


IS_POSTGRESQL = connection.vendor == "postgresql"
INDEXES = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE 'CREATE INDEX %%'"
    if IS_POSTGRESQL
    else "SELECT name, sql FROM sqlite_master WHERE tbl_name = %s AND sql LIKE 'CREATE INDEX %%'"
)
"""By their names, and what makes them. Those that keep rows apart are not among them."""
_UNIQUE = "gen_random_uuid()" if IS_POSTGRESQL else "lower(hex(randomblob(16)))"


def _more_jobs(company: Company, first_person: int) -> None:
    kinds = [kind for kind in ACTIONS for _ in range(-(-ACTIONS_OF_A_JOB // len(ACTIONS)))]
    pattern = job(company.acme)
    actions(pattern, [(kind, "done") for kind in kinds[:ACTIONS_OF_A_JOB]], known_at=pattern.requested_at)
    first = ProvisioningJob.objects.latest("pk").pk + 1
    last_action = Action.objects.latest("pk").pk
    at = _ago("minute", f"({JOBS} - n.i) * 50")
    _more_of(
        pattern,
        JOBS,
        id=f"{first} + n.i",
        public_id=_UNIQUE,
        requested_at=at,
        preview=f"{PREVIEW}{'' if IS_POSTGRESQL else ' + 0'}",
    )
    with _indexed_at_the_end(Action):
        _more_of(
            pattern.actions.earliest("pk"),
            JOBS,
            where=f"t.job_id = {pattern.pk}",
            job_id=f"{first} + n.i",
            email="'p' || (n.i * 10 + t.seq % 10) || '@large.example.org'",
            account_id="'user-large-' || (n.i * 10 + t.seq % 10)",
            person_id=f"{first_person} + n.i * 10 + t.seq % 10",
            rule=f"'Rule ' || (n.i % {RULES})",
            entitlement=_called_otherwise("entitlement"),
            before=_called_otherwise("before"),
            state=f"CASE WHEN {PREVIEW} THEN 'planned' WHEN t.seq = 77 THEN 'failed' ELSE t.state END",
            finished_at=f"CASE WHEN {PREVIEW} THEN NULL ELSE {at} END",
        )
    _note_names(first, last_action)


def _note_names(first_job: int, last_action: int) -> None:
    """As whoever writes actions does: by rule, and by the project that they hold."""
    kinds = [(mentions.RULES, f"Rule {n}") for n in range(RULES)]
    kinds += [(mentions.HELD, f"Project {n}") for n in range(PROJECTS)]
    Name.objects.bulk_create(
        [Name(kind=kind, text=text, digest=mentions.digest(kind, text)) for kind, text in kinds],
        ignore_conflicts=True,
    )
    if IS_POSTGRESQL:  # or it would look through all names for each of the actions
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    project = f"'Project ' || ((a.job_id - {first_job}) % {PROJECTS})"
    speaks = " OR ".join(
        f"CAST(a.{column} AS text) LIKE '%Project %'" for column in ("entitlement", "before")
    )
    for kind, text, where in (
        (mentions.RULES, "a.rule", "1 = 1"),
        (mentions.HELD, project, f"({speaks})"),
    ):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO search_mention (name_id, action_id) SELECT n.id, a.id "  # noqa: S608
                f"FROM provisioning_action a JOIN search_name n ON n.kind = '{kind}' AND n.text = {text} "
                f"WHERE a.id > {last_action} AND {where.replace('%', '%%')}"
            )


def _more_people(company: Company) -> int:
    """The id of the first of them."""
    ada = company.rows["directory_person"]
    pk = Person.objects.latest("pk").pk + 1
    email = "'p' || n.i || '@large.example.org'"
    _more_of(ada, PEOPLE, id=f"{pk} + n.i", public_id=_UNIQUE, email=email)
    of_person = {"person_id": f"{pk} + n.i"}
    _more_of(PersonEmail.objects.get(key=ada.email), PEOPLE, **of_person, address=email, key=email)
    _more_of(Membership.objects.filter(person=ada).earliest("pk"), PEOPLE, **of_person)
    found = company.rows["provisioning_account"]
    _more_of(found, PEOPLE, remote_id="'user-large-' || n.i", email=email, **of_person)
    return pk


def _more_to_review(company: Company) -> None:
    for campaign in company.reviews:
        line = campaign.items.latest("seq")
        named = {"account_ref": "'user-large-' || n.i", "email": "'p' || n.i || '@large.example.org'"}
        _more_of(line, LINES_OF_A_REVIEW, seq=f"{line.seq} + 1 + n.i", **named)


def _more_entries(company: Company) -> None:
    """Their hashes are not true, which no page looks at."""
    newest = Entry.objects.latest("seq")
    about = {
        "email": f"'p' || (n.i % {PEOPLE}) || '@large.example.org'",
        "object_id": f"'large-' || (n.i % {PEOPLE})",
    }
    at = _ago("second", f"({ENTRIES} - n.i) * 30")
    with _indexed_at_the_end(Entry):
        _more_of(newest, ENTRIES, seq=f"{newest.seq} + 1 + n.i", at=at, **about)
    Head.objects.update(seq=newest.seq + ENTRIES)


@contextmanager
def _indexed_at_the_end(model: type[Model]) -> Iterator[None]:
    """A million rows go in far sooner where the table's indexes are made of all of them at once."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if IS_POSTGRESQL:  # which changes no table that has something left to be checked
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(INDEXES, [table])
        found = list(cursor.fetchall())
        for name, _made_by in found:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _name, made_by in found:
            cursor.execute(made_by)


def _called_otherwise(column: str) -> str:
    """The same with another name for its project, as SQL."""
    as_text, as_json = ("::text", "::jsonb") if IS_POSTGRESQL else ("", "")
    return f"replace(t.{column}{as_text}, 'Search', 'Project ' || (n.i % {PROJECTS})){as_json}"


def _ago(unit: str, number: str) -> str:
    """So long before now, as SQL."""
    if IS_POSTGRESQL:
        return f"now() - ({number}) * interval '1 {unit}'"
    return f"datetime('now', '-' || ({number}) || ' {unit}s')"


def _more_of(row: Model, times: int, *, where: str = "", **other: str) -> None:
    """So many copies of a row, or of all `where`, with other values in some columns, as SQL: `n.i` counts."""
    model = type(row)
    key = model._meta.pk.column
    columns = [field.column for field in model._meta.concrete_fields if field.column not in ("id", *other)]
    table, into = model._meta.db_table, ", ".join(f'"{name}"' for name in [*other, *columns])
    values = ", ".join([*other.values(), *(f't."{name}"' for name in columns)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {times}) "  # noqa: S608
            f'INSERT INTO "{table}" ({into}) SELECT {values} FROM "{table}" t CROSS JOIN n '
            f"WHERE {where or f't.{key} = {row.pk}'}"
        )
        if IS_POSTGRESQL and key == "id":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM \"{table}\"))"  # noqa: S608
            )


def _pages(company: Company) -> Iterator[tuple[str, float]]:
    client = _signed_in()
    for name in page_names():
        if SUPERUSER not in SHOWN_TO[name] or "export" in name:
            continue
        where = address(name, company)
        yield _called(name), _took(client, where)
        if name in SEARCHED_BY_FORM:
            called, questions = SEARCHED_BY_FORM[name]
            for query in questions:
                yield f"{called}, {unquote_plus(query)}", _took(client, f"{where}?{query}")
        elif name.endswith("_changelist"):
            yield f"{_called(name)}, a search", _took(client, f"{where}?q=p77777")

    draft = reverse("admin:reviews_campaign_change", args=[company.rows["draft review"].pk])
    yield "a draft of a review", _took(client, draft)
    rules = reverse("admin:provisioning_accessrule_changelist")
    active = AccessRule.objects.filter(state="active").earliest("pk")
    for action, asks in (("draft", "take a rule out of force"), ("delete_selected", "delete rules")):
        chosen = {"action": action, "index": "0", "_selected_action": active.pk}
        yield f"the question: {asks}", _took(client, rules, chosen)
    yield "metrics", _took(client, "/metrics")


def _signed_in() -> Client:
    client = Client(headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    client.force_login(User.objects.get(username="chief"))
    return client


def _called(name: str) -> str:
    """`provisioning: action list` of `admin:provisioning_action_changelist`."""
    return name.removeprefix("admin:").replace("_changelist", " list").replace("_", " ")


def _took(client: Client, where: str, typed: dict[str, Any] | None = None) -> float:
    """`typed`: what is sent with it, by a form that only asks."""
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = client.post(where, typed) if typed else client.get(where)
        taken.append(time.perf_counter() - began)
        if answer.status_code not in (200, 302):
            raise SystemExit(f"{where} answered {answer.status_code}")
    return min(taken)


Exported = dict[str, float]
"""`first`: seconds to the first byte; `bytes` in so many `seconds`; `megabytes` that the process grew by;
`whole`: whether it came to its end.
"""


def _exports(company: Company) -> Iterator[tuple[str, Exported]]:
    client = _signed_in()
    for name in page_names():
        if SUPERUSER in SHOWN_TO[name] and "export" in name:
            yield _called(name), _exported(client, address(name, company))


def _whole_exports() -> Iterator[tuple[str, Exported]]:
    """Of the history, to their ends. `missing`: how many rows of it the ledger does not tell of."""
    client = _signed_in()
    ended = Action.objects.filter(job__preview=False).exclude(finished_at=None, job__planned_at=None).count()
    for form in ("csv", "jsonl", "xlsx"):
        name = f"admin:provisioning_action_export_{form}"
        found = _exported(client, reverse(name), WHOLE_SECONDS)
        told = Entry.objects.filter(verb=Verb.EXPORTED).latest("seq").told()["facts"]
        yield _called(name), {**found, "rows": told["rows"], "missing": ended - told["rows"]}


def _exported(client: Client, where: str, most_seconds: float = EXPORT_SECONDS) -> Exported:
    held = memory.forget_peak()
    began = time.perf_counter()
    answer = client.get(where)
    if answer.status_code != 200:
        raise SystemExit(f"{where} answered {answer.status_code}")
    pieces, size = iter(answer), 0
    for piece in pieces:
        size += len(piece)
        if size > BEGUN or "xlsx" in where:
            break
    first = time.perf_counter() - began
    is_whole = True
    for piece in pieces:
        size += len(piece)
        if time.perf_counter() - began > most_seconds:
            is_whole = False
            break
    seconds = time.perf_counter() - began
    answer.close()
    return {
        "first": first,
        "seconds": seconds,
        "bytes": size,
        "megabytes": memory.peak() - held,
        "whole": is_whole,
    }
