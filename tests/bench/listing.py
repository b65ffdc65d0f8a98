"""Lists everybody in an organization and in its projects, in one of three ways, and tells what that cost.

`python -m tests.bench.listing (floor | sdk | sdk-async) < (the line that tests.bench.canned prints)`
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from tests.bench.cost import measured

Told = dict[str, Any]


def floor(told: Told) -> Callable[[], int]:
    """One session of requests, pages of 100, their JSON decoded: nobody can do with less and keep nothing."""
    import requests  # noqa: PLC0415 - what one way needs is no cost of the others

    def run() -> int:
        session, items = requests.Session(), 0
        session.headers["Authorization"] = f"Bearer {told['admin_key']}"
        for path in paths(told):
            query = {"limit": "100"}
            while True:
                page = session.get(told["base_url"] + path, params=query, timeout=30).json()
                items += len(page["data"])
                if not page["has_more"]:
                    break
                query["after"] = page["last_id"]
        return items

    return run


def sdk(told: Told) -> Callable[[], int]:
    from openai import OpenAI  # noqa: PLC0415

    def run() -> int:
        client = OpenAI(admin_api_key=told["admin_key"], base_url=told["base_url"])
        organization = client.admin.organization
        lists: list[Any] = [
            organization.invites.list(limit=100),
            organization.users.list(limit=100),
            organization.projects.list(limit=100),
            *(organization.projects.users.list(project, limit=100) for project in told["projects"]),
        ]
        return sum(1 for listed in lists for _ in listed)

    return run


def sdk_async(told: Told) -> Callable[[], int]:
    from openai import AsyncOpenAI  # noqa: PLC0415

    async def everybody() -> int:
        client = AsyncOpenAI(admin_api_key=told["admin_key"], base_url=told["base_url"])
        organization, items = client.admin.organization, 0
        lists: list[Any] = [
            organization.invites.list(limit=100),
            organization.users.list(limit=100),
            organization.projects.list(limit=100),
            *(organization.projects.users.list(project, limit=100) for project in told["projects"]),
        ]
        for listed in lists:
            async for _ in listed:
                items += 1
        return items

    return lambda: asyncio.run(everybody())


def paths(told: Told) -> list[str]:
    of_projects = [f"/organization/projects/{project}/users" for project in told["projects"]]
    return ["/organization/invites", "/organization/users", "/organization/projects", *of_projects]


WAYS = {"floor": floor, "sdk": sdk, "sdk-async": sdk_async}

if __name__ == "__main__":
    print(measured(WAYS[sys.argv[1]](json.loads(sys.stdin.readline()))).as_json())
