"""Conflicts between sources: all roles may look at them, and operators settle them."""

from django.db import migrations


def show_to_every_role(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    # Django makes both after the last migration, which is too late here.
    content_type, _ = content_types.get_or_create(app_label='directory', model='conflict')
    view, change = (
        permissions.get_or_create(
            codename=f'{deed}_conflict', content_type=content_type, defaults={'name': f'Can {deed} conflict'}
        )[0]
        for deed in ('view', 'change')
    )
    for role in roles.filter(name__in=('Auditor', 'Operator', 'Approver')):
        role.permissions.add(view)
    for role in roles.filter(name='Operator'):
        role.permissions.add(change)


class Migration(migrations.Migration):

    dependencies = [
        ('directory', '0006_tokens_and_conflicts'),
        ('provisioning', '0015_group_rules'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [migrations.RunPython(show_to_every_role, migrations.RunPython.noop, elidable=True)]
