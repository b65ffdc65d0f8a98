"""`make evidence`: the sample pack in docs/evidence, from a month of life at a simulated organization.

The clock is moved by hand; all else is real: imports, syncs over HTTP, pages that staff press buttons on, and
the command that makes the pack.
"""

# ruff: noqa: T201, PLC0415 - a command, which talks to whoever runs it, and Django is set up first

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import time_machine

from tests import environment, machine

FOLDER = Path(__file__).parents[1] / "docs" / "evidence"
PACK = "evidence-acme-2026-10.zip"
MOST_BYTES = 300_000
SINCE, UNTIL = "2026-10-01", "2026-10-31"
MONTH = datetime(2026, 10, 1, tzinfo=UTC)

PEOPLE = """\
olivia.owner,Olivia Owner,IT
ines.almeida,Inês Almeida,IT
ada.byron,Ada Byron,Engineering; Search team
grace.hopper,Grace Hopper,Engineering; Search team
alan.mathison,Alan Mathison,Engineering
kwame.nwosu,Kwame Nwosu,Engineering; Search team
mei.tanaka,Mei Tanaka,Engineering
soren.larsen,Søren Larsen,Engineering
priya.kumar,Priya Kumar,Engineering; Search team
zuzana.novak,Zuzana Novák,Engineering
rosa.castillo,Rosa Castillo,Research
tariq.haddad,Tariq Haddad,Research
yara.silva,Yara Silva,Research
henrik.bauer,Henrik Bauer,Research
emma.dubois,Emma Dubois,Support
noah.kim,Noah Kim,Support
lucia.garcia,Lucía García,Support
viktor.petrov,Viktor Petrov,Engineering
laila.rahman,Laila Rahman,Support
finn.eriksson,Finn Eriksson,Research
samir.khalil,Samir Khalil,Engineering
hana.sato,Hana Sato,Engineering
"""


@contextmanager
def at(day: int, hour: int = 9, minute: int = 0) -> Iterator[None]:
    """In October 2026."""
    when = MONTH + timedelta(days=day - 1, hours=hour, minutes=minute)
    with time_machine.travel(when):
        print(f"  {when:%d %b %H:%M}", flush=True)
        yield


class Month:
    """The company, its organization, and what people do with it."""

    def __init__(self, folder: Path) -> None:
        from integrations.connectors.openai.simulator import Organization, Simulator

        self.folder = folder
        self.people = {
            name: {"name": full, "groups": groups, "active": "yes", "end_date": ""}
            for name, full, groups in (line.split(",") for line in PEOPLE.splitlines())
        }
        self.organization = Organization(owner="olivia.owner@example.org", accept_after=600)
        for project in ("Search", "Assistants", "Evaluation"):
            self.organization.add_project(project)
        self.simulator = Simulator(self.organization).start()

    # -- what happens

    def connect(self) -> None:
        """What was set up the month before, people's accounts included."""
        from cakewalk.models import User
        from cakewalk.sample import FOLDER as SAMPLE

        User.objects.create_superuser("olivia", "olivia.owner@example.org", "a long enough passphrase")
        for name, role in (("ines", "Operator"), ("rosa", "Approver"), ("tariq", "Auditor")):
            self.staff(name, role)
        os.environ["SAMPLE_KEY"] = self.organization.admin_key
        url = self.simulator.base_url
        self.run(
            "connect",
            "openai",
            "--name",
            "Acme",
            "--key-env",
            "SAMPLE_KEY",
            "--base-url",
            url,
            "--mode",
            "manage",
        )
        self.says()
        self.run("import_rules", str(SAMPLE / "rules.toml"), "--integration", "Acme")
        for name in self.people:
            owner = name in ("olivia.owner", "ines.almeida")
            if name != "olivia.owner":
                self.organization.add_member(f"{name}@example.org", "owner" if owner else "reader")
        self.work()
        self.run("sync", "Acme")

    def staff(self, name: str, *roles: str) -> None:
        """Entered on the admin's pages, by the one who may."""
        from django.contrib.auth.models import Group as Role
        from django.urls import reverse

        from cakewalk.models import User

        page = reverse("admin:cakewalk_user_add")
        secret = "a long enough passphrase"
        self.press(page, username=name, usable_password="true", password1=secret, password2=secret)
        user = User.objects.get(username=name)
        ids = [str(pk) for pk in Role.objects.filter(name__in=roles).values_list("pk", flat=True)]
        self.change(user, "cakewalk_user", is_staff="on", groups=ids)

    def change(self, row: Any, model: str, **typed: Any) -> None:
        """A row's own page, with something else typed into its form."""
        from django.urls import reverse

        from tests.admin.browser import as_shown

        page = reverse(f"admin:{model}_change", args=[row.pk])
        client = self.signed_in("olivia")
        form = as_shown(client, page, f"{model.partition('_')[2]}_form", **typed)
        answer = client.post(page, form)
        assert answer.status_code == 302, answer.content.decode()

    def press(self, page: str, by: str = "olivia", **typed: Any) -> None:
        answer = self.signed_in(by).post(page, typed)
        assert answer.status_code == 302, answer.content.decode()

    def signed_in(self, name: str) -> Any:
        from django.test import Client

        from cakewalk.models import User

        client = Client()
        client.force_login(User.objects.get(username=name))
        return client

    def says(self, **about: dict[str, str]) -> None:
        """The directory's next file: who is who, with what is said of some."""
        for name, said in about.items():
            self.people.setdefault(name.replace("_", "."), {"active": "yes", "end_date": ""}).update(said)
        lines = ["email,name,groups,active,end_date"]
        lines += [
            f"{name}@example.org,{said['name']},{said['groups']},{said['active']},{said['end_date']}"
            for name, said in self.people.items()
        ]
        file = self.folder / "people.csv"
        file.write_text("\n".join(lines), encoding="utf-8")
        self.run("import_people", str(file), "--source", "hr")

    def run(self, *words: str) -> str:
        from django.core.management import call_command

        out = StringIO()
        try:
            call_command(*words, stdout=out, stderr=StringIO())
        except SystemExit as end:
            print(f"    {words[0]} ended with {end.code}")
        return out.getvalue()

    def work(self) -> None:
        """What workers do at once when the directory has changed: look at whoever it is about."""
        from django.utils import timezone

        from provisioning import reconciliation, requesting

        for job in requesting.request_people_jobs(timezone.now()):
            reconciliation.run(job.pk)
            job.refresh_from_db()
            print(f"    {job} for some people: {job.state}", flush=True)

    def sync(self) -> None:
        self.work()
        print(f"    {self.run('sync', 'Acme').splitlines()[0]}", flush=True)

    def well_again(self) -> None:
        """At the same address, as nothing had happened."""
        from integrations.connectors.openai.simulator import Simulator

        port = int(self.simulator.base_url.rpartition(":")[2].partition("/")[0])
        self.simulator.stop()
        self.simulator = Simulator(self.organization, port=port).start()

    def waiting(self) -> Any:
        from provisioning.models import ProvisioningJob

        return ProvisioningJob.objects.filter(state="awaiting_approval").latest("pk")

    def decide(self, deed: str, by: str, **typed: Any) -> None:
        """On the job's page; then a worker carries it out."""
        from django.urls import reverse

        from provisioning import reconciliation

        job = self.waiting()
        page = reverse(f"admin:provisioning_provisioningjob_{deed}", args=[job.pk])
        held = (
            {"digest": job.digest, "override": [hold["code"] for hold in job.holds]}
            if deed == "approve"
            else {}
        )
        self.press(page, by, **held, **typed)
        reconciliation.run(job.pk)


GONE = {"active": "no"}


def live(month: Month) -> None:
    from integrations.models import Integration

    with at(-5):
        month.connect()
    with at(-5, 10):
        if Integration.objects.get().jobs.filter(state="awaiting_approval").exists():
            month.decide("approve", "rosa", reason="The first takings are those that the preview showed.")
        month.run("configure", "Acme", "--set", "removal_limit_count=2", "--set", "removal_limit_percent=5")
        month.run("configure", "Acme", "--set", "minimum_owners=2")
    for day in range(-3, 1):
        with at(day):
            month.sync()
    with at(5):
        month.says(
            amara_okafor={"name": "Amara Okafor", "groups": "Engineering; Search team"},
            jonas_weber={"name": "Jonas Weber", "groups": "Research"},
        )
        month.sync()
    with at(5, 10):
        month.sync()
    with at(7, 14):
        month.says(mei_tanaka={"groups": "Engineering; Search team"}, yara_silva={"groups": "Engineering"})
        month.sync()
    with at(9, 16, 30):
        month.says(viktor_petrov=GONE)
        month.sync()
    # Three at once are more than the limit: they wait for an approver, who is back after the weekend.
    with at(16, 17):
        month.says(soren_larsen=GONE, zuzana_novak=GONE, finn_eriksson=GONE)
        month.sync()
    with at(19, 8, 40):
        month.decide("approve", "rosa", reason="Their contract ended on Friday; HR confirmed all three.")


def go_on(month: Month) -> None:
    from cakewalk.models import User
    from integrations.connectors.openai.simulator.faults import Fault, Kind
    from integrations.models import Integration

    # For two hours the organization lets the key read no members.
    with at(20, 11):
        month.says(samir_khalil=GONE)
        month.simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/users*", every=True))
        month.sync()
    with at(20, 13, 10):
        month.well_again()
        month.sync()
    # The source tells of somebody two days after their last day.
    with at(22, 9, 15):
        month.says(hana_sato={"end_date": "2026-10-19"})
        month.sync()
    with at(23, 10):
        rule = Integration.objects.get().rules.get(name="Researchers run evaluations")
        month.change(
            rule, "provisioning_accessrule", role="reader", **{"grants-0-role": "member", "_agreed": "yes"}
        )
        month.sync()
    with at(23, 15):
        if Integration.objects.get().jobs.filter(state="awaiting_approval").exists():
            month.decide("reject", "rosa", reason="Research keeps its owners until the audit is over.")
    with at(26):
        month.change(
            User.objects.get(username="tariq"), "cakewalk_user", groups=role_ids("Auditor", "Approver")
        )
    with at(28, 18):
        month.change(User.objects.get(username="tariq"), "cakewalk_user", groups=role_ids("Auditor"))
    # One of two owners: refused by name, for as long as there is nobody else.
    with at(29, 9):
        month.says(ines_almeida=GONE)
        month.sync()
    for day in (30, 31):
        with at(day):
            month.sync()


def role_ids(*names: str) -> list[str]:
    from django.contrib.auth.models import Group as Role

    return [str(pk) for pk in Role.objects.filter(name__in=names).values_list("pk", flat=True)]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/db.sqlite3"
        environment.prepare()
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS.append("testserver")
        settings.CELERY_TASK_ALWAYS_EAGER = False
        with at(-6):
            call_command("migrate", verbosity=0)
        month = Month(Path(folder))
        try:
            live(month)
            go_on(month)
        finally:
            month.simulator.stop()
        made = Path(folder) / PACK
        with at(33):  # the 2nd of November
            print(
                month.run(
                    "evidence",
                    "Acme",
                    "--since",
                    SINCE,
                    "--until",
                    UNTIL,
                    "--sample",
                    "8",
                    "--out",
                    str(made),
                )
            )
        _keep(made)
    return 0


def _keep(made: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    with zipfile.ZipFile(made) as archive:
        page = next(name for name in archive.namelist() if name.endswith("summary.html"))
        (FOLDER / "summary.html").write_bytes(archive.read(page))
    if made.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{made.name} has {made.stat().st_size:,} bytes.")
    shutil.copy(made, FOLDER / PACK)
    _picture(FOLDER / "summary.html", FOLDER.with_suffix(".png"))
    print(f"{FOLDER / PACK}: {made.stat().st_size:,} bytes")


def _picture(page: Path, file: Path) -> None:
    if not machine.chromium():
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.chromium(), args=machine.CHROMIUM_FLAGS)
        shown = browser.new_page(viewport={"width": 1000, "height": 1330})
        shown.goto(page.resolve().as_uri())
        shown.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
