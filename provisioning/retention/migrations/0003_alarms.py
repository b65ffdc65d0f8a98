"""Alarms that are over are kept for a while, too."""

from django.db import migrations


def fill(apps, schema_editor):
    rows = apps.get_model('retention', 'Retention').objects.using(schema_editor.connection.alias)
    rows.get_or_create(kind='alarms', defaults={'days': 400})


class Migration(migrations.Migration):

    dependencies = [('retention', '0002_rows_and_roles')]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
