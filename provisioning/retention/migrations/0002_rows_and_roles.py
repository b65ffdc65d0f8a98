"""A row for each kind that is kept, for every role to look at, and for operators to set."""

from django.db import migrations

FOR_EVER, DAYS = ('ledger',), 400
KINDS = (
    'ledger',
    'jobs',
    'revisions',
    'accounts',
    'entitlements',
    'keys',
    'key_links',
    'rotations',
    'verifications',
    'admin_log',
)
ALLOWED = {'view': ('Auditor', 'Operator', 'Approver'), 'change': ('Operator',)}


def fill(apps, schema_editor):
    database = schema_editor.connection.alias
    rows = apps.get_model('retention', 'Retention').objects.using(database)
    for kind in KINDS:
        rows.get_or_create(kind=kind, defaults={'days': None if kind in FOR_EVER else DAYS})
    rows.get_or_create(kind='sessions', defaults={'days': 1})


def give_to_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(app, model).objects.using(database)
        for app, model in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    of, _ = content_types.get_or_create(app_label='retention', model='retention')
    for verb, allowed in ALLOWED.items():
        permission, _ = permissions.get_or_create(
            content_type=of, codename=f'{verb}_retention', defaults={'name': f'Can {verb} retention'}
        )
        for role in roles.filter(name__in=allowed):
            role.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0001_initial'),
        ('provisioning', '0002_roles'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(give_to_roles, migrations.RunPython.noop),
    ]
