"""What can be held in a remote, for all who may look."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


def show_to_every_role(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    # Django makes both after the last migration, which is too late here.
    content_type, _ = content_types.get_or_create(app_label='provisioning', model='entitlement')
    view, _ = permissions.get_or_create(
        codename='view_entitlement', content_type=content_type, defaults={'name': 'Can view entitlement'}
    )
    for role in roles.filter(name__in=('Auditor', 'Operator', 'Approver')):
        role.permissions.add(view)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0005_rotation'),
        ('provisioning', '0007_sweep'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Entitlement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=30)),
                ('remote_id', models.CharField(max_length=200)),
                ('name', models.CharField(max_length=255)),
                ('unmanageable', models.TextField(blank=True, help_text='Why it is left alone; empty where it is not.')),
                ('holders', models.PositiveIntegerField(blank=True, help_text='Members that hold it. Read only where a rule names it.', null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('gone_at', models.DateTimeField(blank=True, null=True)),
                ('integration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entitlements', to='integrations.integration')),
            ],
            options={
                'verbose_name': 'entitlement',
                'indexes': [models.Index(models.F('integration'), models.F('kind'), django.db.models.functions.text.Lower('name'), name='entitlement_by_name')],
                'constraints': [models.UniqueConstraint(fields=('integration', 'kind', 'remote_id'), name='entitlement_once')],
            },
        ),
        migrations.RunPython(show_to_every_role, migrations.RunPython.noop, elidable=True),
    ]
