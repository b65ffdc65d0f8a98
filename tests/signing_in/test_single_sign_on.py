"""Single sign-on with a real provider: who gets in, with which roles, and what is not believed."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in.models import Identity
from cakewalk.signing_in.oidc import provider as asking
from cakewalk.signing_in.oidc.problems import Problem
from tests.admin.builders import PASSWORD, staff
from tests.conftest import need
from tests.ledger.told import facts, last, told
from tests.signing_in.single_sign_on import (
    BEGIN,
    CALLBACK,
    CLIENT,
    Provider,
    led_back,
    missing_provider,
    new_key,
    person,
    sign_in,
    signed_anew,
)

pytestmark = pytest.mark.django_db
PREFERENCES = "/admin/preferences/"


@pytest.fixture(scope="session")
def running() -> Iterator[Provider]:
    need(missing_provider())
    provider = Provider("http://testserver").start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider, settings: Any) -> Provider:
    """Knows Olga, an operator."""
    for name, value in running.settings().items():
        setattr(settings, name, value)
    running.knows(olga=person("olga", "cakewalk-operators", "others"))
    return running


def roles(username: str = "olga") -> list[str]:
    return sorted(role.name for role in User.objects.get(username=username).groups.all())


def is_in(client: Client) -> bool:
    return client.get(PREFERENCES).status_code == 200


def problem() -> str:
    """As the ledger tells it."""
    return str(facts(Verb.SIGN_IN_FAILED)["why"])


def test_who_is_in_a_mapped_group_gets_in_with_its_role(provider: Provider):
    client = Client()
    answer = sign_in(client, begin=f"{BEGIN}?next={PREFERENCES}")
    assert (answer["Location"], is_in(client), roles()) == (PREFERENCES, True, ["Operator"])
    olga = User.objects.get(username="olga")
    assert (olga.email, olga.is_superuser, olga.has_usable_password()) == ("olga@example.org", False, False)
    assert facts(Verb.SIGNED_IN) == {"by": "single sign-on"}
    assert facts(Verb.IDENTITY_LINKED) == {"issuer": provider.issuer, "subject": "olga"}


def test_what_is_asked_has_state_nonce_and_pkce(provider: Provider):
    asked = parse_qs(urlsplit(Client().get(BEGIN)["Location"]).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))


def test_roles_follow_the_provider_at_each_sign_in(provider: Provider):
    sign_in(Client())
    provider.knows(olga=person("olga", "cakewalk-auditors"))
    sign_in(Client())
    assert roles() == ["Auditor"]
    entry = last(Verb.ROLES_FOLLOWED).told()
    assert (entry["before"]["groups"], entry["after"]["groups"]) == (["Operator"], ["Auditor"])


def test_who_has_no_mapped_group_is_refused_and_never_made(provider: Provider):
    provider.knows(olga=person("olga", "others"))
    answer = sign_in(Client())
    assert answer.status_code == 403
    assert "None of your groups has a role here" in answer.content.decode()
    assert not User.objects.filter(username="olga").exists()
    assert problem() == Problem.NO_ROLE.value


def test_who_loses_the_last_group_loses_roles_and_sessions(provider: Provider):
    client = Client()
    sign_in(client)
    provider.knows(olga=person("olga"))
    assert sign_in(Client()).status_code == 403
    assert (roles(), is_in(client)) == ([], False)
    assert (Verb.ROLES_FOLLOWED in [verb for _, verb in told()], last(Verb.SIGN_IN_FAILED).object_name) == (
        True,
        "olga",
    )


def test_a_superuser_is_one_by_a_mapping_that_says_so_and_by_no_other(provider: Provider, settings: Any):
    sign_in(Client())
    assert not User.objects.get(username="olga").is_superuser
    settings.OIDC_ROLES = {"others": "superuser"}
    sign_in(Client())
    assert User.objects.get(username="olga").is_superuser
    settings.OIDC_ROLES = {"others": "superuser", "cakewalk-operators": "Operator"}
    provider.knows(olga=person("olga", "cakewalk-operators"))
    sign_in(Client())
    assert not User.objects.get(username="olga").is_superuser


def test_a_role_that_does_not_exist_is_told(provider: Provider, settings: Any):
    settings.OIDC_ROLES = {"others": "Emperor"}
    assert sign_in(Client()).status_code == 403
    assert facts(Verb.SIGN_IN_FAILED)["detail"] == "Emperor"


def test_a_local_user_is_not_taken_over_by_name_or_e_mail(provider: Provider):
    staff("olga")
    answer = sign_in(Client())
    assert (answer.status_code, problem()) == (403, Problem.TAKEN.value)
    assert not Identity.objects.exists()
    provider.knows(olga=person("other", "cakewalk-operators", email="olga@example.org"))
    sign_in(Client())
    assert Identity.objects.get().user.username == "other"


def test_a_local_user_links_both_by_themselves_and_is_known_by_the_subject_from_then_on(provider: Provider):
    staff("olga-here")
    client = Client()
    client.post("/admin/login/", {"username": "olga-here", "password": PASSWORD})
    sign_in(client, begin=reverse("oidc_link"))
    provider.knows(olga=person("renamed", "cakewalk-auditors", email="new@example.org"))
    assert sign_in(Client()).status_code == 302
    assert (roles("olga-here"), User.objects.count()) == (["Auditor"], 1)


def test_what_somebody_else_is_known_by_cannot_be_linked(provider: Provider):
    sign_in(Client())
    staff("mallory")
    client = Client()
    client.post("/admin/login/", {"username": "mallory", "password": PASSWORD})
    assert sign_in(client, begin=reverse("oidc_link")).status_code == 403
    assert problem() == Problem.SOMEBODY_ELSE.value


def test_an_e_mail_is_believed_where_the_provider_has_verified_it(provider: Provider, settings: Any):
    provider.knows(olga=person("olga", "cakewalk-operators", email_verified=False))
    sign_in(Client())
    assert User.objects.get(username="olga").email == ""
    settings.OIDC_USERNAME_CLAIM = "email"
    provider.knows(eve=person("eve", "cakewalk-operators", email_verified=False))
    assert (sign_in(Client(), "eve").status_code, problem()) == (403, Problem.CLAIMS.value)


def test_who_is_set_inactive_here_is_refused_and_stays_out(provider: Provider):
    client = Client()
    sign_in(client)
    User.objects.filter(username="olga").update(is_active=False)
    assert not is_in(client)
    assert (sign_in(Client()).status_code, problem()) == (403, Problem.INACTIVE.value)


def test_who_cancels_at_the_provider_is_told_so(provider: Provider):
    client = Client()
    answer = client.get(led_back(client, "olga", cancel=True))
    assert (answer.status_code, problem()) == (403, Problem.DENIED.value)
    assert facts(Verb.SIGN_IN_FAILED)["detail"] == "access_denied"


def test_an_answer_is_taken_once_in_the_browser_that_asked_and_soon(provider: Provider):
    client = Client()
    back = led_back(client, "olga")
    assert (Client().get(back).status_code, problem()) == (403, Problem.STATE.value)
    assert client.get(back).status_code == 302
    client.logout()
    assert client.get(back).status_code == 403
    assert client.get(f"{CALLBACK}?code=x&state=forged").status_code == 403
    assert client.get(CALLBACK).status_code == 403


def test_a_code_that_was_not_given_for_this_is_refused(provider: Provider):
    client = Client()
    state = parse_qs(urlsplit(led_back(client, "olga")).query)["state"][0]
    answer = client.get(f"{CALLBACK}?code=stolen&state={state}")
    assert (answer.status_code, problem()) == (502, Problem.MISCONFIGURED.value)


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        (lambda provider: {"key": new_key()}, Problem.SIGNATURE),
        (lambda provider: {"key": provider.key, "exp": int(time.time()) - 120}, Problem.EXPIRED),
        (lambda provider: {"key": provider.key, "aud": "another"}, Problem.AUDIENCE),
        (
            lambda provider: {"key": provider.key, "aud": [CLIENT, "another"], "azp": "another"},
            Problem.AUDIENCE,
        ),
        (lambda provider: {"key": provider.key, "iss": "https://evil.example"}, Problem.TOKEN),
        (lambda provider: {"key": provider.key, "nonce": "replayed"}, Problem.TOKEN),
        (lambda provider: {"key": provider.key, "sub": "chief"}, Problem.SOMEBODY_ELSE),
        (lambda provider: {"key": SECRET_AS_KEY, "algorithm": "HS256"}, Problem.TOKEN),
        (lambda provider: {"key": None, "algorithm": "none"}, Problem.TOKEN),
    ],
    ids=["second key", "expired", "audience", "azp", "issuer", "nonce", "subject", "HS256", "unsigned"],
)
def test_a_token_that_is_not_as_it_must_be_is_not_believed(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, forged: Any, expected: Problem
):
    real = asking.tokens

    def forging(asked: Any) -> dict[str, Any]:
        found = real(asked)
        return {**found, "id_token": signed_anew(found["id_token"], **forged(provider))}

    monkeypatch.setattr(asking, "tokens", forging)
    client = Client()
    answer = sign_in(client)
    assert (answer.status_code, problem(), is_in(client)) == (403, expected.value, False)
    assert "Traceback" not in answer.content.decode()


SECRET_AS_KEY = "k" * 64


def test_a_key_that_is_new_at_the_provider_is_looked_for(provider: Provider):
    cache.set(f"oidc:keys:{provider.issuer}/jwks", [], 60)
    assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", "http://127.0.0.1:9/other"])
def test_a_provider_that_is_down_is_told_and_passwords_go_on(settings: Any, issuer: str):
    settings.OIDC_ISSUER = issuer
    answer = Client().get(BEGIN)
    assert (answer.status_code, problem()) == (502, Problem.UNREACHABLE.value)
    assert "does not answer" in answer.content.decode()
    staff("olga")
    assert Client().post("/admin/login/", {"username": "olga", "password": PASSWORD}).status_code == 302


def test_a_provider_that_calls_itself_otherwise_is_not_believed(provider: Provider, settings: Any):
    settings.OIDC_ISSUER = provider.issuer.replace("127.0.0.1", "localhost")
    assert (Client().get(BEGIN).status_code, problem()) == (502, Problem.MISCONFIGURED.value)


def test_failures_do_not_fill_the_ledger(provider: Provider):
    client = Client()
    for _ in range(25):
        client.get(CALLBACK)
    assert [verb for _, verb in told()].count(Verb.SIGN_IN_FAILED) == 20


def test_it_leads_to_no_other_site(provider: Provider):
    assert sign_in(Client(), begin=f"{BEGIN}?next=https://evil.example/")["Location"] == "/admin/"


def test_who_came_that_way_shows_again_who_they_are_that_way(provider: Provider):
    client = Client()
    sign_in(client)
    page = client.get(reverse("confirm") + f"?next={PREFERENCES}").content.decode()
    assert "Corp Login" in page
    begin = f"{reverse('oidc_confirm')}?next={PREFERENCES}"
    asked = parse_qs(urlsplit(client.get(begin)["Location"]).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    assert sign_in(client, begin=begin)["Location"] == PREFERENCES
    assert (told()[-1], facts(Verb.CONFIRMED)) == (("olga", Verb.CONFIRMED), {"by": "single sign-on"})


def test_it_is_shown_by_nobody_else_and_only_anew(provider: Provider, monkeypatch: pytest.MonkeyPatch):
    provider.knows(olga=person("olga", "cakewalk-operators"), eve=person("eve", "cakewalk-operators"))
    client = Client()
    sign_in(client)
    assert sign_in(client, "eve", begin=reverse("oidc_confirm")).status_code == 403
    assert problem() == Problem.SOMEBODY_ELSE.value
    real, before = asking.tokens, int(time.time()) - 600

    def of_before(asked: Any) -> dict[str, Any]:
        found = real(asked)
        return {**found, "id_token": signed_anew(found["id_token"], provider.key, auth_time=before)}

    monkeypatch.setattr(asking, "tokens", of_before)
    assert (sign_in(client, begin=reverse("oidc_confirm")).status_code, problem()) == (
        403,
        Problem.NOT_ANEW.value,
    )


def test_logging_out_ends_the_session_here_and_offers_to_end_it_there(provider: Provider):
    client = Client()
    sign_in(client)
    page = client.post(reverse("admin:logout")).content.decode()
    assert f"{provider.issuer}/session/end?client_id=cakewalk" in page
    assert not is_in(client)


def test_without_a_provider_there_is_no_such_page(settings: Any):
    settings.OIDC_ISSUER = ""
    client = Client()
    client.force_login(staff("olga"))
    pages = [BEGIN, CALLBACK, reverse("oidc_confirm"), reverse("oidc_link")]
    assert [client.get(page).status_code for page in pages] == [404] * 4


def test_where_passwords_are_off_nobody_signs_in_with_one(provider: Provider, settings: Any):
    settings.LOCAL_PASSWORDS = False
    staff("chief", is_superuser=True)
    client = Client()
    page = client.get("/admin/login/").content.decode()
    assert ('name="password"' in page, "Corp Login" in page) == (False, True)
    client.post("/admin/login/", {"username": "chief", "password": PASSWORD})
    assert not is_in(client)
    assert sign_in(client).status_code == 302
    assert is_in(client)


def test_sessions_that_began_with_a_password_end_where_it_is_turned_off(settings: Any):
    chief = staff("chief", is_superuser=True)
    client = Client()
    client.force_login(chief)
    assert is_in(client)
    settings.LOCAL_PASSWORDS = False
    assert not is_in(client)


def test_a_provider_that_signs_with_a_curve_is_believed_as_well(settings: Any):
    need(missing_provider())
    curved = Provider("http://testserver", algorithm="ES256").start()
    try:
        for name, value in curved.settings().items():
            setattr(settings, name, value)
        curved.knows(olga=person("olga", "cakewalk-operators"))
        assert sign_in(Client()).status_code == 302
    finally:
        curved.stop()


def test_no_token_is_kept(provider: Provider):
    client = Client()
    sign_in(client)
    assert not [value for value in client.session.values() if "eyJ" in str(value)]
