"""Until when an open invite can be accepted."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0009_corroboration'),
    ]

    operations = [
        migrations.AddField(
            model_name='account',
            name='expires_at',
            field=models.DateTimeField(blank=True, help_text='Until when an invite is open.', null=True),
        ),
    ]
