import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


def jobs_of_one_person(apps, schema_editor):
    """What a job's `person` said is said by its scope and its one change."""
    Job = apps.get_model("provisioning", "ProvisioningJob")
    PersonChange = apps.get_model("provisioning", "PersonChange")
    theirs = Job.objects.exclude(person=None)
    PersonChange.objects.bulk_create(
        (
            PersonChange(
                integration_id=job.integration_id, person_id=job.person_id, job=job, known_at=job.requested_at
            )
            for job in theirs.iterator()
        ),
        batch_size=500,
    )
    theirs.update(scope="people")


class Migration(migrations.Migration):
    dependencies = [
        ("directory", "0002_words"),
        ("integrations", "0007_events_asked"),
        ("provisioning", "0010_invite_expiry"),
    ]

    operations = [
        migrations.AddField(
            model_name="provisioningjob",
            name="scope",
            field=models.CharField(
                choices=[("everyone", "Everyone"), ("people", "Some people")],
                default="everyone",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="PersonChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("known_at", models.DateTimeField(help_text="When the directory knew of it.")),
                (
                    "integration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="person_changes",
                        to="integrations.integration",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="provisioning.provisioningjob",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="directory.person",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["integration", "person", "-known_at"], name="person_change_last"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("job", None)),
                        fields=("integration", "person"),
                        name="person_waits_once",
                    ),
                    models.UniqueConstraint(fields=("job", "person"), name="person_once_in_job"),
                ],
            },
        ),
        migrations.RunPython(jobs_of_one_person, migrations.RunPython.noop),
    ]
