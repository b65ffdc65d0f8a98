"""Changing an organization: a receipt only for what OpenAI confirms, and a name for everything else."""

from datetime import timedelta

import pytest

from integrations.connectors.base import (
    ActionRejected,
    CredentialRejected,
    Grant,
    OutcomeUnknown,
    PermissionMissing,
    Receipt,
)
from integrations.connectors.openai.simulator import Fault, Kind
from tests.openai.builders import ADMIN_KEY, invite, user
from tests.openai.remote import Answer, Remote, refusal

MEMBER = Grant("project", "proj_1", "member")
IN_GROUP = Grant("group", "group_1", "member")
AUDITOR = Grant("role", "role_1", "holder")
EDITOR = Grant("project role", "proj_1/role_1", "holder")
GIVEN_ROLE = {"object": "user.role", "user": user(), "role": {"object": "role", "id": "role_1"}}
PROJECT_USER = {"object": "organization.project.user", "id": "user-1", "role": "member", "added_at": 1}

WRITES = {
    "invite": lambda c: c.invite("ada@example.org", "reader", [MEMBER]),
    "withdraw": lambda c: c.withdraw_invite("invite-1"),
    "change role": lambda c: c.change_role("user-1", "owner"),
    "remove": lambda c: c.remove("user-1"),
    "grant project": lambda c: c.grant("user-1", MEMBER),
    "grant group": lambda c: c.grant("user-1", IN_GROUP),
    "grant role": lambda c: c.grant("user-1", AUDITOR),
    "grant project role": lambda c: c.grant("user-1", EDITOR),
    "change grant": lambda c: c.change_grant("user-1", MEMBER),
    "revoke project": lambda c: c.revoke("user-1", "project", "proj_1"),
    "revoke group": lambda c: c.revoke("user-1", "group", "group_1"),
    "revoke role": lambda c: c.revoke("user-1", "role", "role_1"),
    "revoke project role": lambda c: c.revoke("user-1", "project role", "proj_1/role_1"),
}
CONFIRMED = {
    "invite": invite(email="ADA@example.org"),
    "withdraw": {"object": "organization.invite.deleted", "id": "invite-1", "deleted": True},
    "change role": user(role="owner"),
    "remove": {"object": "organization.user.deleted", "id": "user-1", "deleted": True},
    "grant project": PROJECT_USER,
    "grant group": {"object": "group.user", "user_id": "user-1", "group_id": "group_1"},
    "grant role": GIVEN_ROLE,
    "grant project role": GIVEN_ROLE,
    "change grant": PROJECT_USER,
    "revoke project": {"object": "organization.project.user.deleted", "id": "user-1", "deleted": True},
    "revoke group": {"object": "group.user.deleted", "deleted": True},
    "revoke role": {"object": "user.role.deleted", "deleted": True},
    "revoke project role": {"object": "user.role.deleted", "deleted": True},
}
SENT = {
    "invite": (
        "POST /organization/invites",
        {"email": "ada@example.org", "role": "reader", "projects": [{"id": "proj_1", "role": "member"}]},
    ),
    "withdraw": ("DELETE /organization/invites/invite-1", None),
    "change role": ("POST /organization/users/user-1", {"role": "owner"}),
    "remove": ("DELETE /organization/users/user-1", None),
    "grant project": ("POST /organization/projects/proj_1/users", {"user_id": "user-1", "role": "member"}),
    "grant group": ("POST /organization/groups/group_1/users", {"user_id": "user-1"}),
    "grant role": ("POST /organization/users/user-1/roles", {"role_id": "role_1"}),
    "grant project role": ("POST /projects/proj_1/users/user-1/roles", {"role_id": "role_1"}),
    "change grant": ("POST /organization/projects/proj_1/users/user-1", {"role": "member"}),
    "revoke project": ("DELETE /organization/projects/proj_1/users/user-1", None),
    "revoke group": ("DELETE /organization/groups/group_1/users/user-1", None),
    "revoke role": ("DELETE /organization/users/user-1/roles/role_1", None),
    "revoke project role": ("DELETE /projects/proj_1/users/user-1/roles/role_1", None),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("status", [200, 201])
def test_a_confirmed_write_has_a_receipt(connect, write, status):
    with Remote(Answer(status, CONFIRMED[write], {"x-request-id": "req_1"})) as remote:
        receipt = WRITES[write](connect(remote))
    assert receipt == Receipt("req_1", "invite-1" if write == "invite" else None)
    assert [(f"{a.method} {a.target.removeprefix('/v1')}", a.body) for a in remote.asked] == [SENT[write]]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, b""), id="nothing"),
        pytest.param(Answer(204, b""), id="no content"),
        pytest.param(Answer(200, b"<h1>Welcome</h1>"), id="a web page"),
        pytest.param(Answer(200, {}), id="an empty object"),
        pytest.param(Answer(200, []), id="a list"),
        pytest.param(Answer(200, {"error": {"message": "It failed."}}), id="an error called a success"),
        pytest.param(Answer(200, {"id": "user-1", "deleted": False, "role": "admin"}), id="not done"),
        pytest.param(Answer(200, {"id": "user-9", "deleted": True, "role": "member"}), id="about another"),
        pytest.param(Answer(404, b"<h1>Not Found</h1>"), id="a page of some proxy"),
        pytest.param(Answer(404, {"message": "no Route matched with those values"}), id="some gateway"),
        pytest.param(refusal(404, "Invalid URL (DELETE /organization/users/user-1)"), id="a wrong address"),
    ],
)
def test_what_confirms_nothing_leaves_the_outcome_open(connect, write, answer):
    with Remote(answer) as remote, pytest.raises(OutcomeUnknown, match=r"Whether the change was made is unk"):
        WRITES[write](connect(remote))
    assert len(remote.asked) == 1


@pytest.mark.parametrize(
    ("write", "answer"),
    [
        ("invite", invite(email="grace@example.org")),
        ("invite", invite(email="ada@example.org", role="owner")),
        ("invite", invite(email="ada@example.org", status="accepted")),
        ("change role", user(role="reader")),
        ("change role", user(role=None)),
        ("change role", user("user-2", role="owner")),
        ("grant project", PROJECT_USER | {"role": "owner"}),
        ("grant group", {"object": "group.user", "user_id": "user-2", "group_id": "group_1"}),
        ("grant role", {"object": "user.role", "user": user("user-2"), "role": {"id": "role_1"}}),
        ("grant role", {"object": "user.role", "user": user(), "role": {"id": "role_2"}}),
    ],
)
def test_an_answer_that_tells_of_something_else_confirms_nothing(connect, write, answer):
    with Remote(Answer(200, answer)) as remote, pytest.raises(OutcomeUnknown, match="of something else"):
        WRITES[write](connect(remote))


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, ActionRejected, "OpenAI refused this: No."),
        (409, ActionRejected, "OpenAI refused this: No."),
        (422, ActionRejected, "OpenAI refused this: No."),
        (401, CredentialRejected, "OpenAI does not accept the API key: No."),
        (403, PermissionMissing, "OpenAI does not permit this to the API key: No."),
    ],
)
def test_a_clear_no_is_reported_with_its_words_and_not_repeated(connect, write, status, error, says):
    with Remote(refusal(status, "No.", x_request_id="req_1")) as remote, pytest.raises(error) as refused:
        WRITES[write](connect(remote))
    assert type(refused.value) is error
    assert (str(refused.value), refused.value.status, refused.value.request_id) == (says, status, "req_1")
    assert len(remote.asked) == 1


@pytest.mark.parametrize(
    "write", ["withdraw", "remove", "revoke project", "revoke group", "revoke role", "revoke project role"]
)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(404, "No user found with id 'user-1'."), id="no such thing"),
        pytest.param(refusal(400, "User 'user-1' is not a member of project 'proj_1'."), id="no member"),
    ],
)
def test_what_is_gone_already_needs_no_deleting(connect, write, answer):
    with Remote(answer) as remote:
        assert WRITES[write](connect(remote)) == Receipt(None)


@pytest.mark.parametrize(
    "write",
    ["change role", "grant project", "grant group", "grant role", "grant project role", "change grant"],
)
def test_nothing_is_given_to_who_is_gone(connect, write):
    gone = refusal(404, "No user found with id 'user-1'.")
    with Remote(gone) as remote, pytest.raises(ActionRejected, match="No user found"):
        WRITES[write](connect(remote))


def test_an_accepted_invite_cannot_be_withdrawn(organization, connector):
    accepted = organization.add_invite("ada@example.org")
    organization.accept_invite("ada@example.org")
    with pytest.raises(
        ActionRejected, match=r"^The invite cannot be withdrawn: it was accepted, and the pers"
    ):
        connector.withdraw_invite(accepted.id)


@pytest.mark.parametrize(
    ("held", "wanted", "outcome"),
    [
        ("member", "member", Receipt(None)),
        ("owner", "member", ActionRejected),
        (None, "member", ActionRejected),
    ],
)
def test_who_is_said_to_exist_in_a_project_is_looked_at(connect, held, wanted, outcome):
    taken = refusal(400, "User 'user-1' already exists in project 'proj_1'.")
    look = Answer(body=PROJECT_USER | {"role": held}) if held else refusal(404, "Not in the project.")
    with Remote(taken, look) as remote:
        connector = connect(remote)
        if isinstance(outcome, Receipt):
            assert connector.grant("user-1", Grant("project", "proj_1", wanted)) == outcome
        else:
            with pytest.raises(outcome, match="already exists in"):
                connector.grant("user-1", Grant("project", "proj_1", wanted))
    assert remote.targets[1] == "GET /organization/projects/proj_1/users/user-1"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Answer(200, b"<h1>Welcome</h1>"), id="a web page"),
        pytest.param(refusal(403, "No."), id="no right to look"),
    ],
)
def test_who_cannot_be_looked_at_counts_as_refused(connect, broken):
    """The write was refused, whatever the look brings; a read's error would tell of something else."""
    taken = refusal(400, "User already exists in project.")
    with Remote(taken, broken) as remote, pytest.raises(ActionRejected, match="already exists in"):
        connect(remote).grant("user-1", MEMBER)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda c: c.invite("a@example.org", "member", []), id="no organization role"),
        pytest.param(
            lambda c: c.invite("a@example.org", "reader", [Grant("project", "p", "viewer")]),
            id="a viewer in an invite",
        ),
        pytest.param(lambda c: c.invite("a@example.org", "reader", [IN_GROUP]), id="a group in an invite"),
        pytest.param(lambda c: c.change_role("user-1", ""), id="an empty role"),
        pytest.param(lambda c: c.grant("user-1", Grant("group", "g", "owner")), id="no role of a group"),
        pytest.param(lambda c: c.change_grant("user-1", IN_GROUP), id="a group's one role"),
        pytest.param(lambda c: c.grant("user-1", Grant("role", "r", "member")), id="no way to hold a role"),
    ],
)
def test_what_openai_has_not_is_never_sent(connector, simulator, write):
    with pytest.raises(ActionRejected):
        write(connector)
    assert simulator.requests == []


@pytest.mark.parametrize("kind", [Kind.SERVER_ERROR_AFTER, Kind.RESET_AFTER])
def test_a_write_that_happened_and_was_not_confirmed_is_unknown(organization, simulator, connector, kind):
    ada = organization.add_member("ada@example.org")
    simulator.inject(Fault(kind, method="DELETE"))
    with pytest.raises(OutcomeUnknown):
        connector.remove(ada.id)
    assert ada.id not in organization.users
    connector.remove(ada.id)
    assert [asked.status for asked in simulator.requests][1:] == [404]


# -- admin keys

NEW_KEY = {
    "object": "organization.admin_api_key",
    "id": "key-1",
    "name": "Cakewalk",
    "redacted_value": "sk-admin-...wxyz",
    "created_at": 1_760_000_000,
    "expires_at": 1_760_086_400,
    "owner": {"type": "user", "id": "user-1", "name": "Ada Byron"},
    "value": ADMIN_KEY,
}


@pytest.mark.parametrize(
    ("life", "sent"),
    [
        (None, {"name": "Cakewalk"}),
        (timedelta(days=1), {"name": "Cakewalk", "expires_in_seconds": 86_400}),
    ],
)
def test_a_new_key_is_told_with_its_secret_which_it_does_not_show(connect, life, sent):
    with Remote(Answer(200, NEW_KEY)) as remote:
        made = connect(remote).create_credential("Cakewalk", life)
    assert [(asked.method, asked.body) for asked in remote.asked] == [("POST", sent)]
    assert (made.facts.id, made.facts.owner_id, made.secret) == ("key-1", "user-1", ADMIN_KEY)
    assert made.facts.life == timedelta(days=1)
    assert ADMIN_KEY not in repr(made)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"value": None}, id="no secret"),
        pytest.param({"value": "sk-admin-...wxyz"}, id="a shortened secret"),
        pytest.param({"value": "sk-proj-" + "x" * 40}, id="a secret of another kind"),
        pytest.param({"name": "Other"}, id="another name"),
        pytest.param({"object": "organization.project.api_key"}, id="a key of another kind"),
        pytest.param({"owner": None}, id="nobody's"),
        pytest.param({"created_at": "today"}, id="no time"),
    ],
)
def test_an_answer_that_shows_no_usable_key_leaves_the_outcome_open(connect, answer):
    with Remote(Answer(200, NEW_KEY | answer)) as remote, pytest.raises(OutcomeUnknown) as caught:
        connect(remote).create_credential("Cakewalk", None)
    assert len(remote.asked) == 1
    assert ADMIN_KEY not in str(caught.value)
