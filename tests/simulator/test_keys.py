"""Keys of people, of machines and of the organization: made, seen, restricted, lost, and kept by force."""

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError

from tests.simulator.conftest import DAY, connect


@pytest.fixture
def api(client):
    return client.admin.organization


@pytest.fixture
def search(organization):
    return organization.add_project("Search")


@pytest.fixture
def ada(organization, search):
    user = organization.add_member("ada@example.org")
    organization.add_to_project("Search", "ada@example.org")
    return user


def ids(rows) -> list[str]:
    return [row.id for row in rows]


def test_a_service_account_is_changed_and_gets_further_keys(organization, api, search):
    accounts, keys = api.projects.service_accounts, api.projects.api_keys
    ci = accounts.create(search.id, name="ci", expires_in_seconds=DAY)
    changed = accounts.update(ci.id, project_id=search.id, name="builds", role="owner")
    assert (changed.name, changed.role) == ("builds", "owner")
    spare = accounts.api_keys.create(ci.id, project_id=search.id, name="spare", expires_in_seconds=60)
    assert spare.value == organization.project_keys[spare.id].value
    assert [(key.name, key.expires_at) for key in keys.list(search.id)] == [
        ("Secret key", 1_760_086_400),
        ("spare", 1_760_000_060),
    ]
    with pytest.raises(BadRequestError, match="Expected one of: member, owner"):
        accounts.update(ci.id, project_id=search.id, role="none")
    with pytest.raises(BadRequestError, match="must be null"):
        accounts.create(search.id, name="x", create_service_account_only=True, expires_in_seconds=60)


def test_a_service_account_without_a_role_has_no_access_and_keys_all_the_same(api, search):
    accounts, keys = api.projects.service_accounts, api.projects.api_keys
    bare = accounts.create(search.id, name="bare", create_service_account_only=True)
    key = accounts.api_keys.create(bare.id, project_id=search.id)
    assert ids(keys.list(search.id)) == []
    [listed] = keys.list(search.id, owner_project_access="inactive")
    assert (listed.id, listed.owner.service_account.role) == (key.id, "none")


def test_an_account_of_a_machine_loses_one_key_or_only_all_of_them(organization, api, search):
    ci = api.projects.service_accounts.create(search.id, name="ci")
    organization.behaviour.service_account_keys_deletable = False
    with pytest.raises(BadRequestError, match="service account"):
        api.projects.api_keys.delete(ci.api_key.id, project_id=search.id)
    organization.behaviour.service_account_keys_deletable = True
    api.projects.api_keys.delete(ci.api_key.id, project_id=search.id)
    assert [account.name for account in api.projects.service_accounts.list(search.id)] == ["ci"]


def test_keys_are_listed_by_whether_their_owner_has_the_project(organization, api, ada, search):
    """Ada is there by name, Grace through a group, Mary no more."""
    grace, mary = (organization.add_member(f"{name}@example.org") for name in ("grace", "mary"))
    group = organization.add_group("Platform")
    organization.add_to_group(group.id, grace.id)
    organization.add_group_to_project(search.id, group.id, "role-api-project-member")
    hers, graces, marys = (
        organization.add_project_key(search.id, owner.id).id for owner in (ada, grace, mary)
    )

    listed = {
        access: ids(api.projects.api_keys.list(search.id, owner_project_access=access))
        for access in ("active", "inactive", "any")
    }
    assert listed == {"active": [hers, graces], "inactive": [marys], "any": [hers, graces, marys]}
    assert ids(api.projects.api_keys.list(search.id)) == [hers]


def test_a_project_key_is_restricted_and_given_an_end(organization, api, ada, search, clock):
    key = organization.add_project_key(search.id, ada.id)
    keys = api.projects.api_keys
    changed = keys.update(key.id, project_id=search.id, scopes=["api.all.read"], expires_in_seconds=60)
    assert (changed.expires_at, key.scopes) == (1_760_000_060, ["api.all.read"])
    keys.update(key.id, project_id=search.id, scopes=[])
    assert (key.scopes, key.expires_at) == ([], 1_760_000_060)
    half_null = {"scopes": ["api.all.read"], "extra_body": {"expires_in_seconds": None}}
    for nothing in ({}, {"extra_body": {"scopes": None}}, half_null, {"expires_in_seconds": 31_536_001}):
        with pytest.raises(BadRequestError):
            keys.update(key.id, project_id=search.id, **nothing)
    clock.now += 60
    with pytest.raises(BadRequestError, match="expired"):
        keys.update(key.id, project_id=search.id, expires_in_seconds=60)


@pytest.mark.parametrize(("status", "error"), [(400, BadRequestError), (403, PermissionDeniedError)])
def test_an_organization_may_forbid_that_keys_are_deleted(organization, api, ada, search, status, error):
    organization.behaviour.key_deletion_refused = status
    key = organization.add_project_key(search.id, ada.id)
    admin_key = next(iter(organization.admin_keys))
    for call in (
        lambda: api.projects.api_keys.delete(key.id, project_id=search.id),
        lambda: api.admin_api_keys.delete(admin_key),
    ):
        with pytest.raises(error, match="does not allow API keys to be deleted"):
            call()
    assert key.id in organization.project_keys
    assert admin_key in organization.admin_keys


def test_the_list_of_admin_keys_may_show_project_keys_too(organization, api, ada, search):
    admin_keys = ids(api.admin_api_keys.list())
    hers = organization.add_project_key(search.id, ada.id, name="laptop")
    organization.behaviour.mislabels_project_keys = True
    listed = {row.id: row for row in api.admin_api_keys.list(limit=1)}
    assert set(listed) == {*admin_keys, *organization.project_keys}
    mislabelled = listed[hers.id]
    assert (mislabelled.object, mislabelled.name, mislabelled.owner.id) == (
        "organization.admin_api_key",
        "laptop",
        ada.id,
    )
    assert mislabelled.redacted_value.startswith("sk-proj-")
    with pytest.raises(NotFoundError):
        api.admin_api_keys.retrieve(hers.id)
    organization.behaviour.mislabels_project_keys = False
    assert ids(api.admin_api_keys.list()) == admin_keys


@pytest.mark.parametrize(
    ("answer", "listed", "works"),
    [("deleted", False, False), ("dead", True, False), ("working", True, True)],
)
def test_what_becomes_of_an_admin_key_when_its_owner_is_removed(
    organization, simulator, answer, listed, works
):
    organization.behaviour.keys_of_lost_owners = answer
    otto = organization.add_member("otto@example.org", "owner")
    key = organization.create_admin_key("Otto's", otto.id)
    with connect(simulator) as client:
        client.admin.organization.users.delete(otto.id)
        rows = {row.id: row.owner.id for row in client.admin.organization.admin_api_keys.list()}
    assert (key.id in rows) == listed
    assert rows.get(key.id, otto.id) == otto.id
    assert is_alive(simulator, key.value) == works


@pytest.mark.parametrize(("answer", "works"), [("deleted", False), ("dead", False), ("working", True)])
def test_what_becomes_of_an_admin_key_when_its_owner_is_demoted(organization, simulator, answer, works):
    organization.behaviour.keys_of_lost_owners = answer
    otto = organization.add_member("otto@example.org", "owner")
    key = organization.create_admin_key("Otto's", otto.id)
    organization.set_organization_role(otto.id, "reader")
    assert is_alive(simulator, key.value) == works
    assert key.id in organization.admin_keys


def is_alive(simulator, key: str) -> bool:
    with connect(simulator, key) as client:
        try:
            client.admin.organization.admin_api_keys.list()
        except AuthenticationError:
            return False
        return True
