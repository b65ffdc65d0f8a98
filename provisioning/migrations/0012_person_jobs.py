from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("provisioning", "0011_person_changes"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="provisioningjob",
            name="one_live_job_per_integration",
        ),
        migrations.RemoveField(model_name="provisioningjob", name="person"),
        migrations.AddField(
            model_name="provisioningjob",
            name="people",
            field=models.ManyToManyField(
                blank=True, related_name="jobs", through="provisioning.PersonChange", to="directory.person"
            ),
        ),
        migrations.AddConstraint(
            model_name="provisioningjob",
            constraint=models.UniqueConstraint(
                condition=Q(("state__in", ("queued", "running"))),
                fields=("integration", "scope"),
                name="one_live_job_per_integration_and_scope",
            ),
        ),
    ]
