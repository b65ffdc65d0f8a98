"""Pages in the viewer's own language and time zone."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from cakewalk.models import User
from provisioning.models import ProvisioningJob
from tests.admin.browser import as_shown, said
from tests.admin.builders import account, integration, job, staff
from tests.admin.deeds import everything
from tests.directory.builders import person

NIGHT = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)
LIST = "admin:provisioning_provisioningjob_changelist"
pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> User:
    job(integration(), ProvisioningJob.State.SUCCEEDED, requested_at=NIGHT)
    return staff("viewer", "Auditor")


def shown(viewer: User, cookie: str = "", **headers: str) -> str:
    client = Client()
    client.force_login(viewer)
    if cookie:
        client.cookies["time_zone"] = cookie
    answer = client.get(reverse(LIST), headers=headers)
    assert answer["Content-Language"] in answer.content.decode().partition("<html lang=")[2][:5]
    return answer.content.decode().replace("\xa0", " ")


@pytest.mark.parametrize(
    ("chosen", "browser", "told"),
    [
        ("", "", "27 Nov 2026, 23:30 UTC"),
        ("", "Europe/Berlin", "28 Nov 2026, 00:30 CET"),
        ("", "europe/berlin", "28 Nov 2026, 00:30 CET"),
        ("Asia/Tokyo", "Europe/Berlin", "28 Nov 2026, 08:30 JST"),
        ("", "Mars/Olympus", "27 Nov 2026, 23:30 UTC"),
        ("", "../../etc/passwd", "27 Nov 2026, 23:30 UTC"),
        ("Once/Known", "Europe/Berlin", "28 Nov 2026, 00:30 CET"),
    ],
)
def test_times_are_those_of_the_viewer(viewer: User, chosen: str, browser: str, told: str) -> None:
    viewer.time_zone = chosen
    viewer.save()

    assert told in shown(viewer, cookie=browser)


def test_pages_speak_the_language_of_the_viewer(viewer: User) -> None:
    german, french = {"accept-language": "de-AT,de;q=0.8"}, {"accept-language": "fr"}
    assert '<html lang="de"' in shown(viewer, **german)
    assert "27. Nov. 2026, 23:30 UTC" in shown(viewer, **german)
    assert '<html lang="en"' in shown(viewer, **french)

    viewer.language = "en"
    viewer.save()
    assert '<html lang="en"' in shown(viewer, **german)


def test_everybody_chooses_for_themselves(viewer: User) -> None:
    other, client, page = staff("other", "Auditor"), Client(), reverse("preferences")
    client.force_login(viewer)
    typed = as_shown(client, page, "preferences", language="de", time_zone="America/Lima")

    answer = client.post(page, typed)

    viewer.refresh_from_db()
    other.refresh_from_db()
    assert (viewer.language, viewer.time_zone) == ("de", "America/Lima")
    assert (other.language, other.time_zone) == ("", "")
    assert len(said(answer)) == 1
    assert '<html lang="de"' in client.get(page).content.decode()


@pytest.mark.parametrize(("field", "typed"), [("language", "xx"), ("time_zone", "Mars/Olympus")])
def test_what_is_no_language_or_time_zone_is_refused(viewer: User, field: str, typed: str) -> None:
    client, page = Client(), reverse("preferences")
    client.force_login(viewer)
    before = everything()

    answer = client.post(page, {field: typed})

    assert "Select a valid choice" in answer.content.decode()
    assert everything() == before


def test_what_machines_read_is_the_same_whoever_asks_for_it(viewer: User) -> None:
    account(integration("Beta"), match="manual", person=person("ada@example.org"))
    pages = ("provisioning_account_export", "directory_person_export_csv")
    asked = {}
    for language, zone in (("en", "UTC"), ("de", "Asia/Tokyo")):
        viewer.language, viewer.time_zone = language, zone
        viewer.save()
        client = Client()
        client.force_login(viewer)
        asked[language] = [client.get(reverse(f"admin:{page}")).getvalue() for page in pages]

    assert asked["de"] == asked["en"]
    assert b"Linked by hand" in asked["de"][0]


def test_what_is_refused_to_a_client_of_scim_is_said_in_english(viewer: User) -> None:
    answer = Client().get("/scim/v2/Users", headers={"accept-language": "de"})

    assert answer["Content-Language"] == "en"
