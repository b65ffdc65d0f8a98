"""How long it takes to read an organization whose answers take a while, beside a bare loop.

A list leads from page to page, and nobody can ask for the next one before the last has come. So the loop is
the least there is: what can be gained is to do all else meanwhile. Lists of projects can be read at once.
"""

import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.bench.installation import installation, spent_by
from tests.bench.result import Result, Table

MEMBERS = 10_000
PROJECTS = 40
HOLDERS = 10
LATENCIES = (0.02, 0.2)
MOST = 1.05
"""The limit: so many times the bare loop, for the list of members."""

CONNECTOR = """
import json, os, sys, time
from integrations.connectors.openai.connector import OpenAIConnector
connector = OpenAIConnector(secret=os.environ["KEY"], base_url=os.environ["ADDRESS"])
began = time.monotonic()
accounts = connector.fetch_accounts()
listed = time.monotonic()
projects = connector.fetch_entitlements(["project"])
begun = time.monotonic()
connector.fetch_grants([one for one in projects if not one.unmanageable], ())
print(json.dumps([len(accounts), listed - began, time.monotonic() - begun]))
"""
BARE = """
import json, os, time, requests
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['KEY']}"
def listed(path):
    rows, after = [], None
    while True:
        asked = {"limit": 100} | ({"after": after} if after else {})
        page = session.get(os.environ["ADDRESS"] + path, params=asked).json()
        rows += page["data"]
        if not page["has_more"]:
            return rows
        after = page["last_id"]
began = time.monotonic()
listed("/organization/invites")
accounts = listed("/organization/users")
end = time.monotonic()
projects = listed("/organization/projects")
begun = time.monotonic()
for project in projects:
    listed(f"/organization/projects/{project['id']}/users")
print(json.dumps([len(accounts), end - began, time.monotonic() - begun]))
"""
HEAD = ("a call takes", "what is read", "took", "the bare loop", "of it")


def measure() -> Result:
    rows: list[Sequence[str]] = []
    missed: list[str] = []
    organization = _organization()
    for latency in tqdm(LATENCIES, "latency", leave=False, disable=None):
        ours, bare = _seconds(organization, latency)
        call = f"{latency * 1000:.0f} ms"
        for what, mine, least in zip(("members", "holders of projects"), ours, bare, strict=True):
            rows.append((call, what, f"{mine:.2f} s", f"{least:.2f} s", f"{mine / least:.2f} times"))
        if ours[0] > MOST * bare[0]:
            missed.append(
                f"With {call} a call, the list of members takes {ours[0] / bare[0]:.2f} times the bare loop."
            )
    title = f"{MEMBERS:,} members on {MEMBERS // 100} pages, and {PROJECTS} projects"
    return Result([Table(HEAD, rows, title)], missed=missed)


def _organization() -> Organization:
    organization = Organization(owner="boss@example.org")
    for place in range(MEMBERS - 1):
        organization.add_member(f"p{place}@example.org")
    for place in range(PROJECTS):
        organization.add_project(f"Project {place}")
        for holder in range(HOLDERS):
            organization.add_to_project(f"Project {place}", f"p{holder}@example.org")
    return organization


def _seconds(organization: Organization, latency: float) -> tuple[list[float], list[float]]:
    """Seconds for the members and for the projects: ours, and those of the bare loop."""
    with installation("SQLite") as here, Simulator(organization, latency=latency) as simulator:
        env = here.environment | {"KEY": organization.admin_key, "ADDRESS": simulator.base_url}
        ours = json.loads(
            spent_by(["manage.py", "shell", "--verbosity=0", f"--command={CONNECTOR}"], env=env).printed
        )
        bare = json.loads(spent_by(["-c", BARE], env=env).printed)
    if ours[0] != MEMBERS or bare[0] != MEMBERS:
        sys.exit(f"{ours[0]} and {bare[0]} of {MEMBERS} members were read.")
    return ours[1:], bare[1:]
