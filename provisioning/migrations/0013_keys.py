"""Keys and service accounts of a remote, for all who may look."""

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
    content_type, _ = content_types.get_or_create(app_label='provisioning', model='key')
    view, _ = permissions.get_or_create(
        codename='view_key', content_type=content_type, defaults={'name': 'Can view key'}
    )
    for role in roles.filter(name__in=('Auditor', 'Operator', 'Approver')):
        role.permissions.add(view)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0008_keys'),
        ('provisioning', '0012_person_jobs'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Key',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=30)),
                ('remote_id', models.CharField(max_length=401)),
                ('name', models.CharField(blank=True, max_length=300)),
                ('place', models.CharField(blank=True, help_text='Where it works.', max_length=300)),
                ('shown', models.CharField(blank=True, help_text='The kind of key and its last four characters, where the remote shows them.', max_length=30)),
                ('owner_id', models.CharField(blank=True, max_length=200)),
                ('owner_name', models.CharField(blank=True, max_length=300)),
                ('of_machine', models.BooleanField(default=False, help_text='Whoever owns it is no person.')),
                ('is_ours', models.BooleanField(default=False, help_text='The key that Cakewalk itself works with.')),
                ('unattended', models.BooleanField(default=False, help_text='Of a machine in a project where nobody is left but owners of the organization.')),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('gone_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(blank=True, help_text='The account of its owner, where one is known.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='keys', to='provisioning.account')),
                ('integration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='integrations.integration')),
            ],
            options={
                'verbose_name': 'key',
                'indexes': [models.Index(models.F('integration'), models.F('kind'), django.db.models.functions.text.Lower('name'), name='key_by_name')],
                'constraints': [models.UniqueConstraint(fields=('integration', 'kind', 'remote_id'), name='key_once')],
            },
        ),
        migrations.RunPython(show_to_every_role, migrations.RunPython.noop, elidable=True),
    ]
