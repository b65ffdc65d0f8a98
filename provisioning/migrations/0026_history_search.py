from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def _index_of(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> list[str]:
    action = apps.get_model("provisioning", "Action")
    with schema_editor.connection.cursor() as cursor:
        found = schema_editor.connection.introspection.get_constraints(cursor, action._meta.db_table)
    return [name for name, one in found.items() if one["index"] and one["columns"] == ["finished_at"]]


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The new index begins with the same column. On SQLite, AlterField would copy the whole table for this."""
    for name in _index_of(apps, schema_editor):
        schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def make(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    table = schema_editor.quote_name(apps.get_model("provisioning", "Action")._meta.db_table)
    schema_editor.execute(f"CREATE INDEX provisioning_action_finished_at ON {table} (finished_at)")


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0025_entitlement_within")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, make)],
            state_operations=[
                migrations.AlterField(
                    model_name="action",
                    name="finished_at",
                    field=models.DateTimeField(blank=True, null=True),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(fields=["account_id"], name="action_account"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                fields=["finished_at", "id", "kind", "situation", "state", "proposed", "job"],
                name="action_by_time",
            ),
        ),
    ]
