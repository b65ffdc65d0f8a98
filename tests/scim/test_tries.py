"""Many wrong tokens from one address are refused for a while; a right one never is."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from directory.scim.tries import TRIES
from tests.admin.builders import staff
from tests.scim.builders import USER, ScimClient

pytestmark = pytest.mark.django_db


def status(token: str, address: str = "192.0.2.1") -> int:
    return int(ask(token, address).status_code)


def ask(token: str, address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).get("/scim/v2/Users", headers={"Authorization": f"Bearer {token}"})


def test_after_many_wrong_tokens_further_ones_are_refused_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    okta = ScimClient("okta")
    assert [status(f"wrong {number}") for number in range(TRIES)] == [401] * TRIES

    answer = ask("another")

    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert answer.json()["status"] == "429"
    assert (status(""), status(okta.token), status("wrong")) == (429, 200, 429)
    assert status("wrong", "192.0.2.2") == 401
    assert [record.args for record in caplog.records if record.name == "directory.scim.tries"] == [
        (TRIES, "192.0.2.1")
    ]
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert status("wrong") == 401


def test_addresses_of_one_network_count_together() -> None:
    answers = {status("wrong", f"2001:db8::{number:x}") for number in range(TRIES + 1)}
    assert answers == {401, 429}
    assert status("wrong", "2001:db8:0:1::1") == 401


@pytest.mark.parametrize(
    ("believed", "scheme"), [(None, "http"), (("HTTP_X_FORWARDED_PROTO", "https"), "https")]
)
def test_addresses_say_https_behind_a_proxy_that_is_believed(settings, believed, scheme) -> None:
    settings.SECURE_PROXY_SSL_HEADER = believed
    okta = ScimClient("okta")
    by_proxy = {"X-Forwarded-Proto": "https", "Host": "testserver"}
    made = okta.post("/Users", {"schemas": [USER], "userName": "ada"}, **by_proxy)
    assert made["meta"]["location"].startswith(f"{scheme}://testserver/scim/v2/Users/")

    chief = Client()
    chief.force_login(staff("chief", is_superuser=True))
    page = reverse("admin:directory_source_change", args=[okta.source.pk])
    html = chief.get(page, headers=by_proxy).content.decode()
    assert f"{scheme}://testserver/scim/v2<" in html
