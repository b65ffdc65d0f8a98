"""Rules about groups of the remote, for all who may look, and for operators to write."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


WRITTEN_BY_OPERATORS = ('grouprule', 'groupgrant')


def give_to_roles(apps, schema_editor):
    database = schema_editor.connection.alias
    content_types, permissions, roles = (
        apps.get_model(*name).objects.using(database)
        for name in (('contenttypes', 'ContentType'), ('auth', 'Permission'), ('auth', 'Group'))
    )
    for model in WRITTEN_BY_OPERATORS:
        words = apps.get_model('provisioning', model)._meta.verbose_name
        content_type, _ = content_types.get_or_create(app_label='provisioning', model=model)
        for deed in ('view', 'add', 'change', 'delete'):
            # Django makes them after the last migration, which is too late here.
            permission, _ = permissions.get_or_create(
                codename=f'{deed}_{model}', content_type=content_type, defaults={'name': f'Can {deed} {words}'}
            )
            allowed = ('Auditor', 'Operator', 'Approver') if deed == 'view' else ('Operator',)
            for role in roles.filter(name__in=allowed):
                role.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('directory', '0002_words'),
        ('integrations', '0008_keys'),
        ('provisioning', '0014_create_missing'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As it is called in the remote.', max_length=255, verbose_name='project')),
                ('role', models.CharField(help_text='viewer, member or owner, or a custom role of the project by its name.', max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name='GroupRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='A group of the remote, as it is called there.', max_length=255, verbose_name='group')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('proposed', 'Proposed: planned and shown, never applied'), ('active', 'Active')], default='draft', max_length=10)),
            ],
            options={
                'verbose_name': 'group rule',
            },
        ),
        migrations.AddField(
            model_name='action',
            name='holder',
            field=models.JSONField(blank=True, help_text='The group that it is given to or taken from.', null=True),
        ),
        migrations.AddField(
            model_name='action',
            name='members',
            field=models.JSONField(blank=True, default=list, help_text='The accounts that lose it with the group.'),
        ),
        migrations.AddIndex(
            model_name='action',
            index=models.Index(condition=models.Q(('holder__isnull', False)), fields=['job'], name='action_of_group'),
        ),
        migrations.AddField(
            model_name='grouprule',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='group_rules', to='integrations.integration'),
        ),
        migrations.AddField(
            model_name='groupgrant',
            name='rule',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='provisioning.grouprule'),
        ),
        migrations.AddConstraint(
            model_name='grouprule',
            constraint=models.UniqueConstraint(models.F('integration'), django.db.models.functions.text.Lower('name'), name='group_rule_once_in_integration'),
        ),
        migrations.AddConstraint(
            model_name='groupgrant',
            constraint=models.UniqueConstraint(models.F('rule'), django.db.models.functions.text.Lower('name'), name='group_grant_once'),
        ),
        migrations.RunPython(give_to_roles, migrations.RunPython.noop, elidable=True),
    ]
