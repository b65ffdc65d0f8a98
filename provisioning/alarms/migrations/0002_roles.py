"""Everybody who may look sees alarms; an operator says by which channels they are told."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ('view_alarm', 'view_channel', 'view_delivery')
CHANGED = ('add_channel', 'change_channel', 'delete_channel')
ROLES = {'Auditor': SEEN, 'Operator': (*SEEN, *CHANGED), 'Approver': SEEN}


def give_to_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    app = apps.get_app_config('alarms')
    app.models_module = True  # a migration's app does not say that it has models, and would be passed over
    # Django makes them after the last migration, which is too late here.
    create_permissions(app, verbosity=0, using=database, apps=apps)
    made = apps.get_model('auth', 'Permission').objects.using(database).filter(content_type__app_label='alarms')
    roles = apps.get_model('auth', 'Group').objects.using(database)
    for name, allowed in ROLES.items():
        for role in roles.filter(name=name):
            role.permissions.add(*made.filter(codename__in=allowed))


class Migration(migrations.Migration):

    dependencies = [
        ('alarms', '0001_initial'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('provisioning', '0025_entitlement_within'),
    ]

    operations = [migrations.RunPython(give_to_roles, migrations.RunPython.noop)]
