from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Max

from provisioning.search.mentions import COLUMNS, named, write

PORTION = 5000


def note(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Of the actions so far, portion by portion; where it was stopped, it goes on."""
    database = schema_editor.connection.alias
    actions = apps.get_model("provisioning", "Action").objects.using(database).order_by("pk")
    names = apps.get_model("search", "Name").objects.using(database)
    mentions = apps.get_model("search", "Mention").objects.using(database)
    last = mentions.aggregate(last=Max("action_id"))["last"] or 0
    while portion := list(actions.filter(pk__gt=last).values_list("pk", *COLUMNS)[:PORTION]):
        last = portion[-1][0]
        with transaction.atomic(using=database):
            write(((pk, named(*speaking)) for pk, *speaking in portion), names, mentions)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("search", "0001_initial"), ("provisioning", "0026_history_search")]
    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
