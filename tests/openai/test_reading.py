"""Reading an organization: complete or not at all, and with the fewest calls."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from integrations.connectors.base import (
    Account,
    AccountState,
    CredentialFacts,
    CredentialRejected,
    Entitlement,
    Grant,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    RemoteUnreachable,
)
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind, Organization, Simulator
from tests.openai.builders import ADMIN_KEY, invite, page, project, user, without
from tests.openai.remote import Answer, Remote, refusal

OWNER = user("user-0", role="owner")


def listed(*answers: Any) -> list[Answer]:
    return [Answer(body=answer) for answer in answers]


def asked(simulator: Simulator) -> list[str]:
    def words(query: Any) -> str:
        return "&".join(f"{name}={','.join(values)}" for name, values in query.items())

    return [
        f"{r.method} {r.path.removeprefix('/v1')}?{words(r.query)}".rstrip("?") for r in simulator.requests
    ]


# -- accounts


def test_members_and_open_and_expired_invites_are_accounts(organization, connector):
    organization.add_member("ada@example.org", name="Ada Byron", added_at=1_760_000_000)
    organization.add_project("Search")
    pending = organization.add_invite(
        "grace@example.org", projects={"Search": "owner"}, created_at=1_760_000_000, expires_at=4_000_000_000
    )
    expired = organization.add_invite("alan@example.org", "owner", expires_at=1)
    organization.add_invite("joan@example.org")
    organization.accept_invite("joan@example.org")

    accounts = {account.email: account for account in connector.fetch_accounts()}

    ada, search = organization.find_user("ada@example.org"), organization.find_project("Search")
    assert list(accounts) == [
        "olivia.owner@example.org",
        "ada@example.org",
        "joan@example.org",
        "grace@example.org",
        "alan@example.org",
    ]
    assert accounts["ada@example.org"] == Account(
        ada.id,
        AccountState.ACTIVE,
        "ada@example.org",
        "reader",
        "Ada Byron",
        since=datetime.fromtimestamp(1_760_000_000, UTC),
    )
    assert accounts["grace@example.org"] == Account(
        pending.id,
        AccountState.INVITED,
        "grace@example.org",
        "reader",
        grants=(Grant("project", search.id, "owner"),),
        since=datetime.fromtimestamp(1_760_000_000, UTC),
        expires_at=datetime.fromtimestamp(4_000_000_000, UTC),
    )
    assert (accounts["alan@example.org"].id, accounts["alan@example.org"].state) == (
        expired.id,
        AccountState.EXPIRED,
    )


def test_members_whom_another_system_feeds_and_service_accounts_are_marked(organization, connector):
    organization.add_member("ada@example.org", is_scim_managed=True)
    organization.add_member(None, is_service_account=True)
    seen = [(a.email, a.managed_elsewhere, a.is_service) for a in connector.fetch_accounts()]
    assert seen[1:] == [("ada@example.org", True, False), (None, False, True)]


def test_who_accepts_while_we_read_is_seen_as_a_member(connect):
    """Invites are read first; read last, the list would show neither the invite nor the member. The invite is
    shown too, as an open one behind a membership would be.
    """
    pending = [invite(email="Ada@Example.org"), invite("invite-2", email="grace@example.org")]
    members = [OWNER, user(email="ada@example.org")]
    with Remote(*listed(page(pending), page(members))) as remote:
        accounts = connect(remote).fetch_accounts()
    assert remote.targets == ["GET /organization/invites?limit=100", "GET /organization/users?limit=100"]
    assert [account.id for account in accounts] == ["user-0", "user-1", "invite-1", "invite-2"]


def test_a_lapsed_invite_of_a_member_is_told_with_the_member(connect):
    lapsed = invite(email="Ada@Example.org", status="expired")
    with Remote(*listed(page([lapsed]), page([OWNER, user(email="ada@example.org")]))) as remote:
        accounts = connect(remote).fetch_accounts()
    assert _with_lapsed(accounts) == [("user-0", []), ("user-1", ["invite-1"])]


def test_an_expired_invite_is_told_with_the_newer_one_that_went_out(connect):
    """OpenAI keeps lapsed invites listed; two accounts for one address would be nobody's to decide."""
    invites = [
        invite("invite-1", email="ada@example.org", status="expired"),
        invite("invite-2", email="ADA@example.org"),
        invite("invite-3", email="alan@example.org", status="expired", created_at=1_770_000_000),
        invite("invite-4", email="alan@example.org", status="expired", created_at=1_760_000_000),
        invite("invite-5", email="joan@example.org", status="expired", created_at=None),
    ]
    with Remote(*listed(page(invites), page([OWNER]))) as remote:
        accounts = connect(remote).fetch_accounts()
    assert _with_lapsed(accounts) == [
        ("user-0", []),
        ("invite-2", ["invite-1"]),
        ("invite-5", []),
        ("invite-3", ["invite-4"]),
    ]


def _with_lapsed(accounts):
    return [(account.id, [one.id for one in account.lapsed]) for account in accounts]


def test_an_organization_without_users_is_not_believed(connect):
    with Remote(*listed(page([]), page([]))) as remote:
        connector = connect(remote)
        with pytest.raises(ReadIncomplete, match="The list of users is empty"):
            connector.fetch_accounts()


def test_an_organization_without_projects_is_not_believed(connect):
    """The default project cannot be archived, so a list without it is no list."""
    with Remote(*listed(page([]))) as remote:
        connector = connect(remote)
        with pytest.raises(ReadIncomplete, match="The list of projects is empty"):
            connector.fetch_entitlements(["project"])


# -- a fresh look


def test_a_fresh_look_at_one_account(organization, connector):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    grace = organization.add_invite("grace@example.org", projects={"Search": "member"})
    organization.add_to_project(search.id, ada.id)
    member = connector.fetch_account(ada.id, AccountState.ACTIVE)
    invited = connector.fetch_account(grace.id, AccountState.EXPIRED)
    assert (member.email, member.state, member.grants) == ("ada@example.org", AccountState.ACTIVE, ())
    assert (invited.state, invited.grants) == (AccountState.INVITED, (Grant("project", search.id, "member"),))
    assert connector.fetch_grant(ada.id, "project", search.id) == Grant("project", search.id, "member")


def test_what_openai_says_is_not_there_is_gone(organization, connector):
    search, platform = organization.add_project("Search"), organization.add_group("Platform")
    ada = organization.add_member("ada@example.org")
    accepted = organization.add_invite("joan@example.org")
    organization.accept_invite("joan@example.org")
    assert connector.fetch_account("user-nobody", AccountState.ACTIVE) is None
    assert connector.fetch_account("invite-none", AccountState.INVITED) is None
    assert connector.fetch_account(accepted.id, AccountState.INVITED) is None
    assert connector.fetch_grant(ada.id, "project", search.id) is None
    assert connector.fetch_grant(ada.id, "group", platform.id) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(404, b"<h1>Not Found</h1>"), id="a page of some proxy"),
        pytest.param(refusal(404, "Invalid URL (GET /organization/users/user-1)"), id="a wrong address"),
        pytest.param(Answer(404, {}), id="an empty object"),
        pytest.param(Answer(404, {"message": "no Route matched with those values"}), id="some gateway"),
    ],
)
def test_a_404_that_is_not_about_the_account_does_not_make_it_gone(connect, answer):
    with Remote(answer) as remote, pytest.raises(ReadIncomplete, match="does not answer like the OpenAI API"):
        connect(remote).fetch_account("user-1", AccountState.ACTIVE)


@pytest.mark.parametrize(
    ("answer", "look"),
    [
        (user("user-2"), lambda connector: connector.fetch_account("user-1", AccountState.ACTIVE)),
        (invite("invite-2"), lambda connector: connector.fetch_account("invite-1", AccountState.INVITED)),
        (
            {"object": "organization.project.user", "id": "user-2", "role": "member"},
            lambda connector: connector.fetch_grant("user-1", "project", "proj_1"),
        ),
        (
            {"id": "user-2", "name": "B"},
            lambda connector: connector.fetch_grant("user-1", "group", "group_1"),
        ),
    ],
)
def test_an_answer_about_somebody_else_is_not_believed(connect, answer, look):
    with Remote(*listed(answer)) as remote, pytest.raises(ReadIncomplete, match="is about another"):
        look(connect(remote))


@pytest.mark.parametrize("account_id", ["", ".", ".."])
def test_an_id_that_would_make_another_address_is_never_sent(connector, simulator, account_id):
    with pytest.raises(ValueError, match="an id is missing"):
        connector.remove(account_id)
    assert simulator.requests == []


def test_ids_are_percent_encoded(connect):
    with Remote(refusal(404, "No such user.")) as remote:
        assert connect(remote).fetch_account("a/b?c#d é", AccountState.ACTIVE) is None
    assert remote.targets == ["GET /organization/users/a%2Fb%3Fc%23d%20%C3%A9"]


# -- entitlements


def test_projects_and_groups_say_why_they_are_left_alone(organization, connector):
    search, platform = organization.add_project("Search"), organization.add_group("Platform")
    fed = organization.add_group("Fed", is_scim_managed=True)
    default = organization.default_project
    assert connector.fetch_entitlements(["group", "project"]) == [
        Entitlement("group", platform.id, "Platform"),
        Entitlement("group", fed.id, "Fed", "it is fed by the identity provider through OpenAI's own SCIM"),
        Entitlement(
            "project",
            default.id,
            "Default project",
            "it is the default project, which OpenAI does not let anyone change",
        ),
        Entitlement("project", search.id, "Search"),
    ]


def test_who_holds_a_project_and_a_group(organization, connector):
    olivia, ada = (
        organization.find_user("olivia.owner@example.org"),
        organization.add_member("ada@example.org"),
    )
    search, platform = organization.add_project("Search"), organization.add_group("Platform")
    organization.add_to_project(search.id, ada.id)
    organization.add_to_group(platform.id, ada.id)
    in_search, in_platform = Grant("project", search.id, "member"), Grant("group", platform.id, "member")
    named = [Entitlement("project", search.id, "Search"), Entitlement("group", platform.id, "Platform")]
    assert connector.fetch_grants(named, members=()) == {
        olivia.id: [replace(in_search, role="owner")],
        ada.id: [in_search, in_platform],
    }
    assert connector.fetch_grant(ada.id, "group", platform.id) == Grant("group", platform.id, "member")


def test_a_custom_role_is_held_by_whom_it_was_given_to_and_not_by_those_who_inherit_it(
    organization, connector, simulator
):
    people = [organization.add_member(f"{name}@example.org") for name in ("ada", "grace", "kate", "mary")]
    ada, grace, kate, mary = (person.id for person in people)
    auditor = organization.add_role("Key auditor", ["api.organization.projects.api_keys.read"])
    other = organization.add_role("Other", [])
    platform = organization.add_group("Platform")
    organization.assign_role_to_group(platform.id, auditor.id)
    for member in (grace, kate):
        organization.add_to_group(platform.id, member)
    for holder, role in ((ada, auditor), (kate, auditor), (ada, other)):
        organization.assign_role(holder, role.id)
    held = Grant("role", auditor.id, "holder")
    listed = {found.name: found for found in connector.fetch_entitlements(["role"])}
    assert listed["Key auditor"] == Entitlement("role", auditor.id, "Key auditor")
    assert (
        listed["owner"].unmanageable
        == "it is one of OpenAI's own, which a rule gives as a role and not by this list"
    )
    simulator.requests.clear()
    grants = connector.fetch_grants([listed["Key auditor"]], [ada, grace, kate, mary])
    assert {holder for holder, some in grants.items() if some} == {ada, kate}
    assert grants[ada] == grants[kate] == [held]
    assert sorted(asked(simulator)) == sorted(
        f"GET /organization/users/{user}/roles?limit=100" for user in (ada, grace, kate, mary)
    )
    assert [(p.name, p.pages, p.items) for p in connector.listings][-1] == ("roles of members", 4, 8)
    assert connector.fetch_grant(ada, "role", auditor.id) == connector.fetch_grant(kate, "role", auditor.id)
    assert connector.fetch_grant(kate, "role", auditor.id) == held
    assert connector.fetch_grant(grace, "role", auditor.id) is None
    assert connector.fetch_grant(mary, "role", auditor.id) is None


def test_a_project_s_own_roles_are_looked_for_only_where_a_name_says_so(organization, connector, simulator):
    ada, grace = (organization.add_member(f"{name}@example.org").id for name in ("ada", "grace"))
    search, old = organization.add_project("Search"), organization.add_project("Old")
    voice = organization.add_project("Voice")
    for place in (search, old):
        organization.add_role("Prompt editor", [], project_id=place.id)
    organization.archive_project(old.id)
    for member in (ada, grace):
        organization.add_to_project(search.id, member)
    [editor] = [role for role in organization.project_roles(search.id) if not role.predefined_role]
    organization.assign_role_in_project(search.id, ada, editor.id)

    found = connector.fetch_entitlements(["project role"], ["search: prompt EDITOR", "Old: Prompt editor"])
    assert [held.name for held in found if not held.unmanageable] == ["Search: Prompt editor"]
    assert {held.name: held.unmanageable for held in found}["Old: Prompt editor"] == "it is archived"
    assert not [path for path in asked(simulator) if voice.id in path or old.id in path]
    [named] = [held for held in found if not held.unmanageable]
    assert named.id == f"{search.id}/{editor.id}"
    simulator.requests.clear()
    held = Grant("project role", named.id, "holder")
    assert named.within == ("project", search.id)
    inside = Grant("project", search.id, "member")
    there = connector.fetch_grants([named], members=())
    assert (there[ada], there[grace]) == ([inside, held], [inside])
    in_search = connector.listings[-1]
    assert (in_search.name, in_search.pages) == (f"roles in the project {search.id}", 3)
    assert connector.fetch_grant(ada, "project role", named.id) == held
    assert connector.fetch_grant(grace, "project role", named.id) is None


def test_nobody_is_asked_for_roles_when_no_rule_names_one(organization, connector, simulator):
    ada = organization.add_member("ada@example.org")
    named = connector.fetch_entitlements(["project"])[0]
    simulator.requests.clear()
    connector.fetch_grants([named], [ada.id])
    assert [path for path in asked(simulator) if "roles" in path] == []


def test_a_member_whose_roles_cannot_be_read_makes_the_read_incomplete(organization, connector):
    auditor = organization.add_role("Key auditor", [])
    with pytest.raises(ReadIncomplete, match="No user found"):
        connector.fetch_grants([Entitlement("role", auditor.id, "Key auditor")], ["user-gone"])


# -- the proof, and what it costs


def test_a_read_costs_the_fewest_calls_and_leaves_its_proof(time):
    organization = Organization.seeded(250, 3)
    for number in range(101):
        organization.add_invite(f"invited.{number}@example.org")
    with Simulator(organization) as simulator:
        told: list[str] = []
        connector = OpenAIConnector(
            secret=organization.admin_key, base_url=simulator.base_url, progress=told.append, pace=time.pace()
        )
        accounts = connector.fetch_accounts()
        named = connector.fetch_entitlements(["project"])[1]
        connector.fetch_grants([named], members=())
    users, invites = list(organization.users), list(organization.invites)
    assert len(accounts) == 351
    assert asked(simulator) == [
        "GET /organization/invites?limit=100",
        f"GET /organization/invites?limit=100&after={invites[99]}",
        "GET /organization/users?limit=100",
        f"GET /organization/users?limit=100&after={users[99]}",
        f"GET /organization/users?limit=100&after={users[199]}",
        "GET /organization/projects?limit=100&include_archived=true",
        f"GET /organization/projects/{named.id}/users?limit=100",
    ]
    assert connector.calls == 7
    assert [(p.name, p.pages, p.items, p.first_id, p.last_id) for p in connector.listings][:2] == [
        ("invites", 2, 101, invites[0], invites[-1]),
        ("users", 3, 250, users[0], users[-1]),
    ]
    assert [p.name for p in connector.listings][2:] == ["projects", f"users in the project {named.name}"]
    assert told[:3] == ["Read 100 invites.", "Read 101 invites.", "Read 100 users."]


def test_a_read_can_be_stopped_between_two_pages(time):
    class Cancelled(Exception):
        pass

    def cancel(_: str) -> None:
        raise Cancelled

    organization = Organization.seeded(250, 0)
    with Simulator(organization) as simulator:
        connector = OpenAIConnector(
            secret=organization.admin_key, base_url=simulator.base_url, progress=cancel, pace=time.pace()
        )
        with pytest.raises(Cancelled):
            connector.fetch_accounts()
    assert (connector.calls, connector.listings) == (1, ())


# -- faults of a listing


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Kind.EMPTY_WITH_MORE, "Page 2 of the list of users is empty and says that there is more."),
        (Kind.REPEATED_CURSOR, "Page 2 of the list of users names another last id than its data has."),
        (Kind.DUPLICATE_ROW, "Page 2 of the list of users repeats an id."),
        (Kind.TRUNCATED, "Page 2 of the list of users is not JSON."),
        (Kind.HTML, "Page 2 of the list of users is not JSON."),
        (Kind.MISSING_ROW, "Page 2 of the list of users names another first id than its data has."),
    ],
)
def test_a_page_that_does_not_add_up_makes_the_read_incomplete(time, kind, complaint):
    organization = Organization.seeded(250, 0)
    fault = Fault(kind, path="/organization/users", nth=2)
    with Simulator(organization, faults=[fault]) as simulator:
        connector = OpenAIConnector(
            secret=organization.admin_key, base_url=simulator.base_url, pace=time.pace()
        )
        with pytest.raises(ReadIncomplete) as incomplete:
            connector.fetch_accounts()
    assert str(incomplete.value) == complaint
    assert incomplete.value.request_id is not None
    assert [proof.name for proof in connector.listings] == ["invites"]


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (
            listed(page([]), page([user("user-1"), without(user(), "id")])),
            "Page 1 of the list of users, row 2, has no id.",
        ),
        (
            listed(page([]), page([user("user-1"), "user-2"])),
            "Page 1 of the list of users, row 2, is not a JSON object.",
        ),
        (
            listed(page([]), page([invite()])),
            "Page 1 of the list of users, row 1, is of another kind than organization.user.",
        ),
        (
            listed(page([invite(status="lost")])),
            "Page 1 of the list of invites, row 1, has a status that OpenAI does not describe.",
        ),
        (
            listed(page([]), without(page([OWNER]), "data")),
            "Page 1 of the list of users has no list of data.",
        ),
        (
            listed(page([]), page([OWNER]) | {"has_more": "no"}),
            "Page 1 of the list of users does not say whether there is more.",
        ),
        ([refusal(400, "No such cursor.")], "OpenAI refused this: No such cursor."),
        ([Answer(405, b"<h1>405</h1>")], "{host} does not answer like the OpenAI API (status 405)."),
        (
            [Answer(302, headers={"location": "/"})],
            "{host} answered with a redirect (status 302), which is not followed.",
        ),
    ],
)
def test_an_answer_that_makes_no_sense_makes_the_read_incomplete(connect, answers, complaint):
    with Remote(*answers) as remote:
        host = remote.base_url.removeprefix("http://").removesuffix("/v1")
        with pytest.raises(ReadIncomplete) as incomplete:
            connect(remote).fetch_accounts()
    assert str(incomplete.value) == complaint.format(host=host)


def test_the_shape_of_december_2025_is_read_all_the_same(organization, simulator, connector):
    organization.add_member("ada@example.org")
    simulator.inject(Fault(Kind.NESTED_USER, path="/organization/users*", every=True))
    assert [account.email for account in connector.fetch_accounts()] == [
        "olivia.owner@example.org",
        "ada@example.org",
    ]


def test_what_passes_is_waited_for(organization, simulator, connector, time):
    simulator.inject(Fault(Kind.RATE_LIMITED, path="/organization/invites", seconds=30))
    simulator.inject(Fault(Kind.RESET_AFTER, path="/organization/users"))
    simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/users", nth=2, status=502))
    assert len(connector.fetch_accounts()) == 1
    assert connector.calls == 5
    assert 30 < time.waited < 33


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (Fault(Kind.UNAUTHORIZED, every=True), CredentialRejected, "OpenAI does not accept the API key: Inc"),
        (
            Fault(Kind.FORBIDDEN, every=True),
            PermissionMissing,
            "OpenAI does not permit this to the API key: Y",
        ),
        (Fault(Kind.RATE_LIMITED, every=True, retry_after="none"), RateLimited, "127.0.0.1"),
        (Fault(Kind.SERVER_ERROR, every=True), RemoteUnreachable, "127.0.0.1"),
        (Fault(Kind.REDIRECT, every=True), ReadIncomplete, "127.0.0.1"),
    ],
)
def test_what_does_not_pass_is_named_for_what_to_do(simulator, connector, fault, error, says):
    simulator.inject(fault)
    with pytest.raises(error) as caught:
        connector.fetch_accounts()
    assert type(caught.value) is error
    assert str(caught.value).startswith(says)


def test_a_401_for_a_missing_scope_asks_for_rights_and_not_for_another_key(connect):
    said = "You have insufficient permissions for this operation. Missing scopes: api.management.read."
    with (
        Remote(refusal(401, said)) as remote,
        pytest.raises(PermissionMissing, match=r"Missing scopes: api\."),
    ):
        connect(remote).fetch_accounts()


# -- whose key it is


def test_what_openai_tells_of_the_key_is_found_among_the_admin_keys(organization, connector):
    olivia = organization.find_user("olivia.owner@example.org")
    [ours] = [key for key in organization.admin_keys.values() if key.value == organization.admin_key]
    facts = connector.fetch_credential_facts()
    assert (facts.id, facts.name, facts.expires_at) == (ours.id, "Provisioning", None)
    assert (facts.owner_id, facts.owner_name, facts.owner_kind) == (olivia.id, olivia.name, "user")
    assert facts.made_at.timestamp() == ours.created_at
    assert facts.last_used_at.timestamp() == ours.last_used_at


def key(key_id: str, shown: str | None, owner: Any, **fields: Any) -> dict[str, Any]:
    row = {"object": "organization.admin_api_key", "id": key_id, "redacted_value": shown, "owner": owner}
    return row | {"created_at": 1, "expires_at": None} | fields


OLIVIA = {"type": "user", "object": "organization.user", "id": "user-0"}
OTHER = OLIVIA | {"id": "user-9"}


@pytest.mark.parametrize(
    ("rows", "owner"),
    [
        pytest.param([key("k1", "sk-admin-...wxyz", OLIVIA)], "user-0", id="ours"),
        pytest.param(
            [key("k1", "sk-admin-...abcd", OTHER), key("k2", "sk-admin...wxyz", OLIVIA)],
            "user-0",
            id="ours and another",
        ),
        pytest.param(
            [key("k1", "sk-proj-...wxyz", OTHER), key("k2", "sk-admin...wxyz", OLIVIA)],
            "user-0",
            id="a mislabelled project key",
        ),
        pytest.param(
            [
                key("k1", "sk-...wxyz", OTHER, object="organization.project.api_key"),
                key("k2", "sk-admin...wxyz", OLIVIA),
            ],
            "user-0",
            id="a project key among them",
        ),
        pytest.param(
            [key("k1", "sk-...wxyz", {"type": "user"}), key("k2", "sk-admin...wxyz", OLIVIA)],
            "user-0",
            id="one without an owner, and ours",
        ),
        pytest.param(
            [key("k2", "sk-admin...wxyz", OLIVIA, object=None)], "user-0", id="a row without a kind"
        ),
    ],
)
def test_the_one_admin_key_that_fits_is_ours(connect, rows, owner):
    with Remote(*listed(page(rows))) as remote:
        facts = connect(remote).fetch_credential_facts()
    assert (facts.owner_id, facts.unknown) == (owner, "")
    assert remote.targets == ["GET /organization/admin_api_keys?limit=100"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        pytest.param([key("k1", "sk-admin-...abcd", OLIVIA)], "No admin key that OpenAI lists", id="another"),
        pytest.param(
            [key("k1", "sk-admin-...wxyz", OLIVIA), key("k2", "sk-admin-...xyz", OLIVIA)],
            "2 admin keys look like this one, so OpenAI does not tell which it is.",
            id="two fit",
        ),
        pytest.param([key("k1", "sk-admin-...", OLIVIA)], "No admin key that", id="no end shown"),
        pytest.param([key("k1", None, OLIVIA)], "No admin key that", id="nothing shown"),
        pytest.param(
            [key("k1", "sk-svcacct-...wxyz", OLIVIA)], "No admin key that", id="a service account's"
        ),
        pytest.param([key("k1", "sk-admin-...wxyz", None)], "No admin key that", id="no owner"),
        pytest.param([key("k1", "sk-admin-...wxyz", {})], "No admin key that", id="an owner without an id"),
        pytest.param([], "No admin key that", id="no keys"),
    ],
)
def test_where_none_or_several_fit_nothing_is_known_and_that_is_said(connect, rows, says):
    with Remote(*listed(page(rows))) as remote:
        facts = connect(remote).fetch_credential_facts()
    assert facts == CredentialFacts(unknown=facts.unknown)
    assert facts.unknown.startswith(says)


def test_a_key_that_may_not_see_the_admin_keys_says_so(connect):
    with Remote(refusal(403, "No.")) as remote:
        facts = connect(remote).fetch_credential_facts()
    assert facts.unknown == "The key may not read the admin keys, so OpenAI does not tell."


# -- before the first call


@pytest.mark.parametrize(
    ("secret", "base_url", "error"),
    [
        ("sk-proj-" + "x" * 40, "https://api.openai.com/v1", CredentialRejected),
        (ADMIN_KEY + "\r\nX-Evil: 1", "https://api.openai.com/v1", CredentialRejected),
        (ADMIN_KEY, "http://api.openai.com/v1", RemoteUnreachable),
        (ADMIN_KEY, "https://api.openai.com.example.org/v1", RemoteUnreachable),
    ],
)
def test_a_connector_is_not_even_made_with_a_wrong_key_or_address(secret, base_url, error):
    with pytest.raises(error) as refused:
        OpenAIConnector(secret=secret, base_url=base_url)
    assert secret not in str(refused.value)


def test_a_project_without_a_name_goes_by_its_id(connect):
    with Remote(*listed(page([project(name=None)]))) as remote:
        assert connect(remote).fetch_entitlements(["project"]) == [Entitlement("project", "proj_1", "proj_1")]
