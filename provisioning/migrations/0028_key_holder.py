"""The role Key holder, who enters credentials and does nothing else. Operators go on entering them."""

from django.db import migrations

ENTERS = ('Operator', 'Key holder')


def give_to_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    # Django makes both after the last migration, which is too late here.
    content_type, _ = content_types.get_or_create(app_label='integrations', model='integration')
    enter, _ = permissions.get_or_create(
        codename='enter_credential', content_type=content_type, defaults={'name': 'Can enter credentials'}
    )
    roles.get_or_create(name='Key holder')
    for role in roles.filter(name__in=ENTERS):
        role.permissions.add(enter)


def remove_role(apps, schema_editor):
    apps.get_model('auth', 'Group').objects.using(schema_editor.connection.alias).filter(name='Key holder').delete()


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0027_reviews'),
        ('integrations', '0013_who_may_enter_keys'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [migrations.RunPython(give_to_roles, remove_role)]
