"""Evidence is for everybody who may look: all roles may ask for packs, and download them."""

from django.db import migrations


def show_to_every_role(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    # Django makes both after the last migration, which is too late here.
    content_type, _ = content_types.get_or_create(app_label='evidence', model='evidencepack')
    made = [
        permissions.get_or_create(
            codename=f'{deed}_evidencepack',
            content_type=content_type,
            defaults={'name': f'Can {deed} evidence pack'},
        )[0]
        for deed in ('view', 'add')
    ]
    for role in roles.filter(name__in=('Auditor', 'Operator', 'Approver')):
        role.permissions.add(*made)


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0001_initial'),
        ('provisioning', '0025_entitlement_within'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [migrations.RunPython(show_to_every_role, migrations.RunPython.noop, elidable=True)]
