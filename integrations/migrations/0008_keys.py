"""When the keys of a remote were last read, and what of them could not be."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0007_events_asked'),
    ]

    operations = [
        migrations.AddField(
            model_name='integration',
            name='keys_read_at',
            field=models.DateTimeField(editable=False, help_text='When its keys were last read to the end.', null=True),
        ),
        migrations.AddField(
            model_name='integration',
            name='keys_asked_at',
            field=models.DateTimeField(editable=False, help_text='When a job last tried to read its keys.', null=True),
        ),
        migrations.AddField(
            model_name='integration',
            name='keys_unread',
            field=models.JSONField(default=list, editable=False, help_text='What of its keys could not be read at that try, and why.'),
        ),
    ]
