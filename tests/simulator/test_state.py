"""An organization outlives its simulator."""

import json
import os
from pathlib import Path

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.holdings import StateUnreadable
from tests.simulator.conftest import connect


def load(path: Path, **options) -> Organization:
    return Organization.load_or_seed(path, people=5, projects=2, seed=3, **options)


def test_a_restart_keeps_everything_that_was_changed_over_http(tmp_path):
    path = tmp_path / "state.json"
    first = load(path)
    with Simulator(first) as simulator, connect(simulator) as client:
        api = client.admin.organization
        search = next(project for project in api.projects.list() if project.name == "Search")
        api.invites.create(
            email="new@example.org", role="reader", projects=[{"id": search.id, "role": "member"}]
        )
        leaver = list(api.users.list())[-1]
        api.users.delete(leaver.id)
        api.groups.create(name="Platform")

    second = load(path)
    assert second.dump() == first.dump()
    assert leaver.id not in second.users
    assert second.accept_invite("new@example.org").email == "new@example.org"


def test_the_keys_stay_the_same_over_a_restart(tmp_path):
    first, second = load(tmp_path / "state.json"), load(tmp_path / "state.json")
    for name in ("admin_key", "read_only_key", "project_key"):
        assert getattr(first, name) == getattr(second, name)
    with Simulator(second) as simulator, connect(simulator, first.admin_key) as client:
        assert len(list(client.admin.organization.users.list())) == 5


def test_no_id_is_given_twice_over_a_restart(tmp_path):
    load(tmp_path / "state.json").add_member("ada@example.org")
    grace = load(tmp_path / "state.json").add_member("grace@example.org")
    assert len(load(tmp_path / "state.json").users) == 7
    assert grace.id in load(tmp_path / "state.json").users


def test_an_organization_built_by_hand_can_be_kept(tmp_path):
    built = Organization(owner="olivia@example.org")
    built.add_project("Search")
    built.add_member("ada@example.org", name="Ada Byron")
    built.add_to_project("Search", "ada@example.org", "owner")
    built.save(tmp_path / "state.json")

    kept = load(tmp_path / "state.json", accept_after=0)
    assert kept.dump() == built.dump()
    assert kept.accept_after == 0
    kept.add_member("grace@example.org")
    assert len(load(tmp_path / "state.json").users) == 3


OLDER = {
    "memberships": {"role_ids"},
    "groups": {"role_ids"},
    "roles": {"project_id", "updated_at"},
    "project_keys": {"expires_at", "scopes"},
    "admin_keys": {"scopes"},
}
"""What the records of the first state files did not have."""


def test_a_state_file_of_the_first_simulator_is_still_read(tmp_path):
    path = tmp_path / "state.json"
    before = load(path)
    before.add_group("Platform")
    document = json.loads(path.read_text())
    for kind, fields in OLDER.items():
        document[kind] = [
            {name: value for name, value in row.items() if name not in fields} for row in document[kind]
        ]
    del document["project_groups"], document["events"]
    path.write_text(json.dumps(document))
    assert load(path).dump() == before.dump()


def test_a_restart_keeps_roles_and_groups_of_projects(tmp_path):
    first = load(tmp_path / "state.json")
    group, search = first.add_group("Platform"), first.find_project("Search")
    role = first.add_role("Prompter", ["api.model.request"], project_id=search.id)
    first.add_group_to_project(search.id, group.id, role.id)
    second = load(tmp_path / "state.json")
    assert second.dump() == first.dump()
    assert [held.id for held in second.roles_of_group_in_project(search.id, group.id)] == [role.id]


def test_a_dump_is_plain_json(organization):
    organization.add_invite("ada@example.org", projects={"Default project": "member"})
    assert Organization.load(json.loads(json.dumps(organization.dump()))).dump() == organization.dump()


def test_a_save_that_fails_leaves_the_former_state(tmp_path, monkeypatch):
    organization = load(tmp_path / "state.json")
    before = (tmp_path / "state.json").read_text()
    monkeypatch.setattr(json, "dump", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        organization.add_member("ada@example.org")
    assert (tmp_path / "state.json").read_text() == before
    assert os.listdir(tmp_path) == ["state.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": "org-1"}'])
def test_a_damaged_state_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(StateUnreadable, match=f"{path} is not a simulator's state file"):
        load(path)
    assert path.read_text() == content


def test_an_organization_can_begin_again_from_what_it_once_was():
    first = Organization()
    search, group = first.add_project("Search"), first.add_group("Platform")
    first.add_group_to_project(search.id, group.id, "role-api-project-owner")
    document = first.dump()
    for _ in range(2):
        again = Organization.load(document)
        assert [held.role.name for held in again.roles_of_group_in_project(search.id, group.id)] == ["owner"]
        again.assign_role_to_group_in_project(search.id, group.id, "role-api-project-member")
