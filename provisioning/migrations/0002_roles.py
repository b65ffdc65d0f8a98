"""The roles that staff are given: Auditor, Operator and Approver. Users and roles stay with superusers."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

AUDITOR = (
    'directory.view_group',
    'directory.view_person',
    'directory.view_source',
    'integrations.view_integration',
    'provisioning.view_accessrule',
    'provisioning.view_account',
    'provisioning.view_action',
    'provisioning.view_mark',
    'provisioning.view_provisioningjob',
    'provisioning.view_rulegrant',  # the grants are a part of the rule's page
)
OPERATOR = (
    *AUDITOR,
    'directory.add_group',
    'directory.add_person',
    'directory.change_group',
    'directory.change_person',
    'directory.change_source',
    'directory.import_people',
    'integrations.add_integration',  # connect
    'integrations.change_integration',  # settings, credential, enable, disable
    'provisioning.add_accessrule',
    'provisioning.add_mark',
    'provisioning.add_rulegrant',
    'provisioning.change_accessrule',
    'provisioning.change_account',  # whose it is, and nothing else
    'provisioning.change_mark',
    'provisioning.change_rulegrant',
    'provisioning.delete_accessrule',
    'provisioning.delete_mark',
    'provisioning.delete_rulegrant',
    'provisioning.run_job',
)
APPROVER = (*AUDITOR, 'provisioning.approve_job')
ROLES = {'Auditor': AUDITOR, 'Operator': OPERATOR, 'Approver': APPROVER}


def make_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    permissions = _permissions(apps, database)
    for name, allowed in ROLES.items():
        role, _ = apps.get_model('auth', 'Group').objects.using(database).get_or_create(name=name)
        role.permissions.add(*(permissions[permission] for permission in allowed))


def _permissions(apps, database):
    """By `app.codename`. Django makes them after the last migration, which is too late here."""
    for label in ('directory', 'integrations', 'provisioning'):
        app = apps.get_app_config(label)
        if not getattr(app, 'models_module', None):
            app.models_module = True  # a migration's app does not say that it has models, and would be passed over
        create_permissions(app, verbosity=0, using=database, apps=apps)
    made = apps.get_model('auth', 'Permission').objects.using(database).select_related('content_type')
    return {f'{permission.content_type.app_label}.{permission.codename}': permission for permission in made}


def remove_roles(apps, schema_editor):
    roles = apps.get_model('auth', 'Group').objects.using(schema_editor.connection.alias)
    roles.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('directory', '0001_initial'),
        ('integrations', '0001_initial'),
        ('provisioning', '0001_initial'),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
