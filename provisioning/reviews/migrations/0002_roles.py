"""The role Reviewer, who decides about what they are asked; the other roles look, and operators run reviews."""

from django.db import migrations

LOOKS = ('view_campaign', 'view_exclusion')
RUNS = (*LOOKS, 'add_campaign', 'change_campaign', 'change_exclusion')
ROLES = {
    'Auditor': LOOKS,
    'Approver': LOOKS,
    'Operator': RUNS,
    'Reviewer': ('review_access',),
}
NAMES = {
    'add_campaign': 'Can add access review',
    'change_campaign': 'Can change access review',
    'change_exclusion': 'Can change exception',
    'review_access': 'Can review access',
    'view_campaign': 'Can view access review',
    'view_exclusion': 'Can view exception',
}
MODELS = {'campaign': 'campaign', 'exclusion': 'exclusion', 'access': 'item'}


def give_to_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    # Django makes both after the last migration, which is too late here.
    made = {}
    for codename, name in NAMES.items():
        model = MODELS[codename.partition('_')[2]]
        content_type, _ = content_types.get_or_create(app_label='reviews', model=model)
        made[codename], _ = permissions.get_or_create(
            codename=codename, content_type=content_type, defaults={'name': name}
        )
    roles.get_or_create(name='Reviewer')
    for role in roles.filter(name__in=ROLES):
        role.permissions.add(*(made[codename] for codename in ROLES[role.name]))


def remove_role(apps, schema_editor):
    apps.get_model('auth', 'Group').objects.using(schema_editor.connection.alias).filter(name='Reviewer').delete()


class Migration(migrations.Migration):

    dependencies = [
        ('reviews', '0001_initial'),
        ('provisioning', '0016_conflicts'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [migrations.RunPython(give_to_roles, remove_role)]
