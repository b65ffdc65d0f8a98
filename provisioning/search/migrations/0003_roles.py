"""The ledger is shown to every role, and may be exported by each."""

from django.db import migrations

NAMES = {"view_entry": "Can view ledger entry", "export_entry": "Can export the ledger"}


def show_to_every_role(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (("contenttypes", "ContentType"), ("auth", "Permission"), ("auth", "Group"))
    )
    # Django makes both after the last migration, which is too late here.
    content_type, _ = content_types.get_or_create(app_label="ledger", model="entry")
    for codename, name in NAMES.items():
        given, _ = permissions.get_or_create(
            codename=codename, content_type=content_type, defaults={"name": name}
        )
        for role in roles.filter(name__in=("Auditor", "Operator", "Approver")):
            role.permissions.add(given)


class Migration(migrations.Migration):
    dependencies = [
        ("search", "0002_mentions"),
        ("ledger", "0001_initial"),
        ("provisioning", "0002_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(show_to_every_role, migrations.RunPython.noop)]
