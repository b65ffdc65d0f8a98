"""What makes a new installation worth a look: somebody to sign in, a connected organization, a first sync.

Every step finds out by itself whether it has been done, so that an interrupted first start is completed by
the next one, and what staff have changed since is left alone.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from cakewalk import sample
from cakewalk.models import User
from integrations.catalog import connector_class
from integrations.connecting import Entry, save_and_enable
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import Integration
from provisioning import requesting
from provisioning.models import ProvisioningJob

KIND = "openai"
REAL_NAME = connector_class(KIND).card.title
WAIT_SECONDS = 60.0
Say = Callable[[str], None]


class NotConnected(Exception):
    """The organization could not be connected; the message says why, in a sentence."""


def first_user() -> tuple[str, str | None]:
    """The name of the user who may do everything, and the password where it was made just now."""
    superuser = User.objects.filter(is_superuser=True).order_by("pk").first()
    if superuser:
        return superuser.username, None
    user = User.objects.create_superuser("admin")
    return user.username, user.renew_password()


def open_simulator() -> Simulator | None:
    """Acme's organization; none where a real one is used and Acme was never connected.

    It takes its former port where it can; where it cannot, the integrations that knew it there follow.
    """
    acme = Integration.objects.filter(name=sample.NAME, simulated=True).first()
    if settings.OPENAI_ADMIN_KEY and acme is None:
        return None
    organization = sample.organization(settings.VAR_DIR / "simulator.json")
    former = acme.base_url if acme else ""
    simulator = _started(organization, former)
    if former and former != simulator.base_url:
        Integration.objects.filter(base_url=former).update(base_url=simulator.base_url)
    return simulator


def _started(organization: Organization, former: str) -> Simulator:
    port = int(former.rpartition(":")[2].partition("/")[0]) if former else 0
    try:
        return Simulator(organization, port=port).start()
    except OSError:
        return Simulator(organization).start()


def connect(simulator: Simulator | None, say: Say) -> None:
    """The real organization where its key is given, and only looked at; else Acme, with people and rules."""
    if settings.OPENAI_ADMIN_KEY:
        _connect_real(say)
    elif simulator:
        _connect_acme(simulator, say)


def _connect_real(say: Say) -> None:
    base_url = settings.OPENAI_BASE_URL or connector_class(KIND).card.default_base_url
    if Integration.objects.filter(name=REAL_NAME).exists():
        return
    say(f"Connecting the organization of OPENAI_ADMIN_KEY at {base_url}; it is only observed.")
    integration = _connected(Entry(KIND, REAL_NAME, base_url, settings.OPENAI_ADMIN_KEY))
    _carry_out(integration, say, preview=True)


def _connect_acme(simulator: Simulator, say: Say) -> None:
    sample.add_people(now=timezone.now())
    acme = Integration.objects.filter(name=sample.NAME).first()
    if acme is None:
        say("Connecting Acme, a simulated organization.")
        key = simulator.organization.admin_key
        acme = _connected(Entry(KIND, sample.NAME, simulator.base_url, key, mode=Integration.Mode.MANAGE))
    sample.add_rules(acme)
    for job in acme.jobs.live():  # of a first start that was interrupted
        _wait_for(job)
    if not acme.jobs.filter(preview=True).exists():
        _carry_out(acme, say, preview=True)
    if not acme.jobs.filter(preview=False).exists():
        _carry_out(acme, say, preview=False)


def _connected(entry: Entry) -> Integration:
    outcome = save_and_enable(entry, now=timezone.now())
    if outcome.integration is None:
        raise NotConnected(" ".join(outcome.problems.values()))
    return outcome.integration


def _carry_out(integration: Integration, say: Say, *, preview: bool) -> None:
    """Queue a job for the worker, and wait for what becomes of it."""
    what = "preview" if preview else "sync"
    say(f"First {what} of {integration.name} …")
    job = requesting.request_job(integration, preview=preview, trigger=ProvisioningJob.Trigger.FIRST)
    _wait_for(job)
    say(f"First {what} of {integration.name}: {job.get_state_display().lower()}.")


def _wait_for(job: ProvisioningJob) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while job.state in ProvisioningJob.LIVE and time.monotonic() < until:
        time.sleep(0.1)
        job.refresh_from_db()
