from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

MAKE = "CREATE INDEX action_email_begins ON provisioning_action (lower(email) text_pattern_ops)"
DROP = "DROP INDEX action_email_begins"


def make(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For a LIKE, in a database that sorts by a language. SQLite has no such index, and needs none."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(MAKE)


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0022_job_page")]
    operations = [migrations.RunPython(make, drop)]
