import django.db.models.deletion
from django.db import migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from directory.former import left

PORTION = 5000


def remember(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What the revisions so far tell, portion by portion; where it was stopped, it may begin again."""
    database = schema_editor.connection.alias
    revisions = apps.get_model("directory", "Revision").objects.using(database)
    former = apps.get_model("directory", "FormerEmail")
    last = 0
    while portion := list(
        revisions.filter(pk__gt=last).order_by("pk").values_list("pk", "person_id", "fields")[:PORTION]
    ):
        last = portion[-1][0]
        rows = [former(person_id=pk, key=key) for _, pk, fields in portion for key in left(fields)]
        with transaction.atomic(using=database):
            former.objects.using(database).bulk_create(rows, batch_size=400, ignore_conflicts=True)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("directory", "0010_quiet_after")]

    operations = [
        migrations.CreateModel(
            name="FormerEmail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=254)),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="former_addresses", to="directory.person")),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("key", "person"), name="former_email_once")]},
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
