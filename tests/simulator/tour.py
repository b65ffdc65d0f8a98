"""Every endpoint that the simulator has, called through the official SDK."""

from openai import OpenAI


def tour(client: OpenAI) -> None:
    """Calls every endpoint that the simulator has, through the SDK."""
    api = client.admin.organization
    search = api.projects.create(name="Search")
    api.projects.update(search.id, name="Search engine")
    people(client, search.id)
    keys(client, search.id)
    groups(client)
    roles(client)
    projects_and_roles(client, search.id)
    audit_log(client)
    api.projects.retrieve(search.id)
    list(api.projects.list(include_archived=True, limit=1))
    api.projects.archive(search.id)


def people(client: OpenAI, project_id: str) -> None:
    api = client.admin.organization
    ada = list(api.users.list(limit=1))[1]
    api.users.retrieve(ada.id)
    invite = api.invites.create(
        email="new@example.org", role="reader", projects=[{"id": project_id, "role": "member"}]
    )
    api.invites.create(email="newer@example.org", role="owner")
    api.invites.retrieve(invite.id)
    list(api.invites.list(limit=1))
    api.invites.delete(invite.id)
    members = api.projects.users
    members.create(project_id, user_id=ada.id, role="member")
    members.update(ada.id, project_id=project_id, role="owner")
    members.retrieve(ada.id, project_id=project_id)
    list(members.list(project_id, limit=1))
    members.delete(ada.id, project_id=project_id)
    api.users.update(ada.id, role="owner")
    api.users.delete(ada.id)


def keys(client: OpenAI, project_id: str) -> None:
    api = client.admin.organization
    accounts, project_keys = api.projects.service_accounts, api.projects.api_keys
    account = accounts.create(project_id, name="ci")
    accounts.create(project_id, name="bare", create_service_account_only=True)
    accounts.retrieve(account.id, project_id=project_id)
    accounts.update(account.id, project_id=project_id, name="builds", role="owner")
    accounts.api_keys.create(account.id, project_id=project_id, name="spare", scopes=["api.model.request"])
    list(accounts.list(project_id, limit=1))
    key = next(iter(project_keys.list(project_id, owner_project_access="any")))
    project_keys.retrieve(key.id, project_id=project_id)
    project_keys.update(key.id, project_id=project_id, scopes=["api.all.read"], expires_in_seconds=60)
    project_keys.delete(key.id, project_id=project_id)
    accounts.delete(account.id, project_id=project_id)
    admin_key = api.admin_api_keys.create(name="second", expires_in_seconds=60)
    api.admin_api_keys.retrieve(admin_key.id)
    list(api.admin_api_keys.list(limit=1))
    api.admin_api_keys.delete(admin_key.id)


def groups(client: OpenAI) -> None:
    api = client.admin.organization
    owner = next(iter(api.users.list()))
    group = api.groups.create(name="Platform")
    api.groups.create(name="Search")
    api.groups.retrieve(group.id)
    api.groups.update(group.id, name="Platform team")
    list(api.groups.list(limit=1))
    api.groups.users.create(group.id, user_id=owner.id)
    api.groups.users.retrieve(owner.id, group_id=group.id)
    list(api.groups.users.list(group.id, limit=1))
    api.groups.users.delete(owner.id, group_id=group.id)
    api.groups.delete(group.id)


def roles(client: OpenAI) -> None:
    api = client.admin.organization
    owner = next(iter(api.users.list()))
    role = api.roles.create(role_name="Auditor", permissions=["api.organization.read"])
    api.roles.retrieve(role.id)
    api.roles.update(role.id, description="Looks")
    list(api.roles.list(limit=1))
    api.users.roles.create(owner.id, role_id=role.id)
    api.users.roles.retrieve(role.id, user_id=owner.id)
    list(api.users.roles.list(owner.id, limit=1))
    api.users.roles.delete(role.id, user_id=owner.id)
    group = api.groups.create(name="Auditors")
    api.groups.roles.create(group.id, role_id=role.id)
    api.groups.roles.retrieve(role.id, group_id=group.id)
    list(api.groups.roles.list(group.id, limit=1))
    api.groups.users.create(group.id, user_id=owner.id)
    list(api.users.roles.list(owner.id))
    api.groups.roles.delete(role.id, group_id=group.id)
    api.roles.delete(role.id)


def projects_and_roles(client: OpenAI, project_id: str) -> None:
    api = client.admin.organization.projects
    roles = client.admin.organization.projects.roles
    member = client.admin.organization.users.list().data[-1]
    role = roles.create(project_id, role_name="Prompter", permissions=["api.model.request"])
    roles.retrieve(role.id, project_id=project_id)
    roles.update(role.id, project_id=project_id, permissions=[], description="Writes prompts")
    list(roles.list(project_id, limit=1))
    api.users.create(project_id, user_id=member.id, role="viewer")
    api.users.roles.create(member.id, project_id=project_id, role_id=role.id)
    api.users.roles.retrieve(role.id, project_id=project_id, user_id=member.id)
    list(api.users.roles.list(member.id, project_id=project_id, limit=1))
    api.users.roles.delete(role.id, project_id=project_id, user_id=member.id)
    project_groups(client, project_id, role.id)
    roles.delete(role.id, project_id=project_id)


def project_groups(client: OpenAI, project_id: str, role_id: str) -> None:
    groups = client.admin.organization.projects.groups
    first, second = (client.admin.organization.groups.create(name=name).id for name in ("One", "Two"))
    groups.create(project_id, group_id=first, role="role-api-project-member")
    groups.create(project_id, group_id=second, role=role_id)
    groups.retrieve(first, project_id=project_id)
    list(groups.list(project_id, limit=1))
    groups.roles.create(first, project_id=project_id, role_id=role_id)
    groups.roles.retrieve(role_id, project_id=project_id, group_id=first)
    list(groups.roles.list(first, project_id=project_id, limit=1))
    groups.roles.delete(role_id, project_id=project_id, group_id=first)
    groups.delete(first, project_id=project_id)


def audit_log(client: OpenAI) -> None:
    log = client.admin.organization.audit_logs
    events = list(log.list(limit=7))
    log.list(before=events[-1].id, effective_at={"gte": 0, "lt": 2_000_000_000})
    log.list(event_types=["invite.sent"], actor_emails=["olivia@example.org"])
    log.list(tenant_only=True)
