"""Migrations since the baseline run while the version before still serves."""

from collections.abc import Sequence

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from cakewalk.migrating import AddIndexBesideUse
from tests.upgrading.baseline import BASELINE
from tests.upgrading.beside import dangers

OURS = ("cakewalk", "directory", "integrations", "provisioning")


def test_what_came_since_the_baseline_is_safe_beside_the_version_before() -> None:
    """What another project's app does with its tables is not ours to judge."""
    loader = MigrationLoader(None)
    ours = {key: made for key, made in loader.disk_migrations.items() if made.__module__.startswith(OURS)}
    assert {app for app, _ in ours} >= BASELINE.keys()
    found = {}
    for (app, name), migration in ours.items():
        if name > BASELINE.get(app, ""):
            before = loader.project_state((app, name), at_end=False)
            if told := dangers(migration, before):
                found[f"{app}.{name}"] = told
    assert found == {}


KNOWN = ProjectState()
for name in ("entry", "channel"):
    KNOWN.add_model(
        ModelState(
            "ledger",
            name,
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("note", models.CharField(max_length=40, null=True)),
            ],
        )
    )


def told_of(*operations: Operation) -> Sequence[str]:
    class Next(migrations.Migration):
        pass

    Next.operations = list(operations)
    return dangers(Next("0002_next", "ledger"), KNOWN)


@pytest.mark.parametrize(
    ("operation", "because"),
    [
        (migrations.RemoveField("channel", "note"), "still asks for it"),
        (migrations.RenameField("channel", "note", "remark"), "still asks for it"),
        (migrations.DeleteModel("channel"), "still asks for it"),
        (migrations.RenameModel("channel", "way"), "still asks for it"),
        (migrations.AddField("channel", "size", models.IntegerField(default=0)), "adds rows without it"),
        (migrations.AlterField("channel", "note", models.CharField(max_length=40)), "still writes NULL"),
        (migrations.AlterField("channel", "note", models.TextField(null=True)), "another type"),
        (migrations.AlterField("channel", "note", models.CharField(max_length=9, null=True)), "up to 40"),
        (migrations.AddIndex("entry", models.Index(fields=["note"], name="by_note")), "AddIndexBesideUse"),
    ],
)
def test_what_the_version_before_would_stumble_over_is_refused(operation: Operation, because: str) -> None:
    [sentence] = told_of(operation)
    assert because in sentence


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("channel", "size", models.IntegerField(db_default=0)),
        migrations.AddField("channel", "size", models.IntegerField(null=True)),
        migrations.AlterField("channel", "note", models.CharField(max_length=80, null=True)),
        migrations.AddIndex("channel", models.Index(fields=["note"], name="by_note")),
        migrations.AlterModelOptions("channel", {"verbose_name": "way"}),
        migrations.RunPython(migrations.RunPython.noop),
    ],
)
def test_what_it_does_not_notice_is_let_through(operation: Operation) -> None:
    assert told_of(operation) == []


def test_rows_and_their_table_are_not_changed_in_one_transaction() -> None:
    adding = migrations.AddField("channel", "size", models.IntegerField(null=True))
    [sentence] = told_of(adding, migrations.RunPython(migrations.RunPython.noop))
    assert "make two migrations" in sentence


def test_a_table_of_the_migrations_own_is_nobodys_yet() -> None:
    made = migrations.CreateModel("way", [("id", models.BigAutoField(primary_key=True))])
    assert told_of(made, migrations.AddField("way", "size", models.IntegerField(default=0))) == []


@pytest.mark.django_db(transaction=True)
def test_an_index_is_built_beside_use_and_again_after_a_build_that_was_broken_off() -> None:
    app, index = "provisioning", models.Index(fields=["kind"], name="action_by_kind_alone")
    before = MigrationLoader(connection).project_state()
    operation = AddIndexBesideUse("action", index)
    after = before.clone()
    operation.state_forwards(app, after)
    again = 2 if connection.vendor == "postgresql" else 1
    for _ in range(again):
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards(app, editor, before, after)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "provisioning_action")
    assert found["action_by_kind_alone"]["columns"] == ["kind"]
    with connection.schema_editor(atomic=False) as editor:
        operation.database_backwards(app, editor, after, before)
