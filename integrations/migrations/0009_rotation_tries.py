"""The clock goes on with a rotation that was interrupted."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0008_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='rotation',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0, help_text='How often the clock has gone on with it since somebody asked for it.'),
        ),
        migrations.AddField(
            model_name='rotation',
            name='next_try_at',
            field=models.DateTimeField(blank=True, help_text='When the clock goes on with it.', null=True),
        ),
    ]
