"""Each hold is overridden by itself, and a held action knows all that hold it."""

from django.db import migrations, models


def hold_for_everything(apps, schema_editor):
    """A plan that waits already: which of its holds hold which action was not kept, so all hold each."""
    job_model, action_model = (apps.get_model("provisioning", name) for name in ("ProvisioningJob", "Action"))
    for job in job_model.objects.filter(state="awaiting_approval"):
        codes = [hold["code"] for hold in job.holds]
        action_model.objects.filter(job=job, state="held").update(holds=codes)


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0004_leases'),
    ]

    operations = [
        migrations.AddField(
            model_name='action',
            name='holds',
            field=models.JSONField(blank=True, default=list, help_text="Codes of the job's holds that all must be overridden first."),
        ),
        migrations.AddField(
            model_name='provisioningjob',
            name='overrides',
            field=models.JSONField(blank=True, default=list, help_text='By whom which hold was overridden, when and why.'),
        ),
        migrations.RunPython(hold_for_everything, migrations.RunPython.noop, elidable=True),
    ]
