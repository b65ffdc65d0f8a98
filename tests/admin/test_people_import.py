"""A file is uploaded, a worker shows what it would change, and just that is imported."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory import importing
from directory.models import Person, Revision, Upload
from directory.uploads import LEASE, REMEMBERED, SHOWN_FOR
from provisioning import recovering, tasks, uploads
from tests.admin.browser import Typed, forms, said
from tests.admin.builders import upload
from tests.admin.deeds import everything
from tests.admin.roles import OPERATOR, SUPERUSER
from tests.directory.builders import csv_file, directory, person, source
from tests.ledger.told import facts, last, told, verbs

pytestmark = pytest.mark.django_db

IMPORT = "/admin/directory/person/import/"
DIRECTORY = ("directory.Person", "directory.PersonEmail", "directory.Group", "directory.Membership")


@pytest.fixture
def operator(clients: dict[str, Client]) -> Client:
    return clients[OPERATOR]


def people() -> Any:
    return {table: rows for table, rows in everything().items() if table in DIRECTORY}


def worker() -> Upload:
    """Does what there is to do."""
    for pk in uploads.lost(now=timezone.now()):
        uploads.go_on(pk)
    return Upload.objects.defer("packed").latest("pk")


def uploaded(client: Client, *lines: str, **typed: str) -> Any:
    """The page that shows what the file would change."""
    file = SimpleUploadedFile("people.csv", csv_file(*lines))
    answer = client.post(IMPORT, {"file": file, "source": "file", **typed})
    assert answer.status_code == 302
    worker()
    return client.get(answer["Location"])


def confirmed(client: Client, page: Any, **typed: str) -> Any:
    """What comes of the page's button, once a worker has seen to it."""
    address = page.wsgi_request.path
    answer = client.post(address, forms(page)["confirm"] | typed)
    worker()
    return client.get(answer["Location"])


def text(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def test_a_file_is_shown_first_and_then_imported(operator: Client) -> None:
    before = people()
    page = uploaded(operator, "email,name,groups", "ada@example.org,Ada,engineering")
    assert people() == before
    assert "Import this 1 change" in page.content.decode()
    [part] = page.context["parts"]
    assert (part["name"], part["lines"]) == (
        "added",
        [
            {
                "email": "ada@example.org",
                "rows": "2",
                "fields": [
                    {"name": "name", "before": "nothing", "after": "Ada"},
                    {"name": "active", "before": "nothing", "after": "yes"},
                    {"name": "groups", "before": "nothing", "after": "engineering"},
                ],
                "is_new": True,
            }
        ],
    )

    page = confirmed(operator, page)

    done = "Imported people.csv: 1 added, 0 changed, 0 deactivated, 0 unchanged."
    assert f"{done} A sync is due for every enabled integration." in text(page)
    assert list(directory()) == ["ada@example.org"]
    numbers = facts(Verb.PEOPLE_IMPORTED)
    assert (numbers["file"], numbers["added"], numbers["changed"]) == ("people.csv", 1, 0)
    assert last(Verb.PEOPLE_IMPORTED).email == "ada@example.org"
    assert Revision.objects.get().by == "operator, import of people.csv into file"
    assert bytes(Upload.objects.get().packed) == b""


def test_a_broken_file_names_the_row_and_offers_no_import(operator: Client) -> None:
    before = people()
    page = uploaded(operator, "email,start_date", "nobody,2026-01-01", "ada@example.org,soon")
    [part] = page.context["parts"]
    assert [(line["row"], line["column"]) for line in part["lines"]] == [(2, "email"), (3, "start_date")]
    assert "digest" not in forms(page)["confirm"]
    assert people() == before


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ({"source": "hr"}, {"file": ["This field is required."]}),
        (
            {"source": "x" * 101, "file": SimpleUploadedFile("people.csv", b"email")},
            {"source": ["Ensure this value has at most 100 characters (it has 101)."]},
        ),
    ],
)
def test_an_upload_that_lacks_something_says_what(
    operator: Client, typed: Typed, found: dict[str, list[str]]
) -> None:
    answer = operator.post(IMPORT, typed | {"replace": "on"})

    assert answer.context["form"].errors == found
    assert all(sentence in answer.content.decode() for sentences in found.values() for sentence in sentences)
    [shown] = [form for form in forms(answer).values() if "source" in form]
    assert (shown["source"], shown["replace"]) == ([typed["source"]], ["on"])
    assert not Upload.objects.exists()


def test_every_change_of_a_large_file_is_on_some_page(operator: Client) -> None:
    page = uploaded(operator, "email", *(f"p{number:03}@x.org" for number in range(250)))
    address = page.wsgi_request.path
    pages = [operator.get(f"{address}?added={number}") for number in ("1", "2", "3")]
    shown = [line["email"] for one in pages for line in one.context["parts"][0]["lines"]]
    assert shown == [f"p{number:03}@x.org" for number in range(250)]
    for odd, place in (("99", 3), ("0", 1), ("x", 1)):
        assert operator.get(f"{address}?added={odd}").context["parts"][0]["page"] == place


def test_a_preview_is_imported_once_however_often_the_button_is_pressed(operator: Client) -> None:
    page = uploaded(operator, "email", "ada@example.org")
    address, typed = page.wsgi_request.path, forms(page)["confirm"]
    assert said(operator.post(address, typed)) == []
    again = (
        "Nothing was imported just now: it is being imported already, or this is no longer what was shown."
    )
    assert said(operator.post(address, typed)) == [again]
    assert worker().state == Upload.State.DONE
    assert again in said(operator.post(address, typed))
    assert (Person.objects.count(), verbs().count(Verb.PEOPLE_IMPORTED)) == (1, 1)


def test_only_what_is_shown_is_imported(operator: Client) -> None:
    page = uploaded(operator, "email", "ada@example.org")
    confirmed(operator, page, digest="0" * 64)
    assert (directory(), Upload.objects.get().state) == ({}, Upload.State.SHOWN)


def test_who_confirms_is_who_imports(operator: Client, clients: dict[str, Client]) -> None:
    confirmed(operator, uploaded(clients[SUPERUSER], "email", "ada@example.org"))
    assert told() == [
        ("superuser", Verb.FILE_UPLOADED),
        ("operator", Verb.IMPORT_ASKED),
        ("operator", Verb.PEOPLE_IMPORTED),
    ]


def test_a_directory_that_changed_since_the_preview_is_shown_again(operator: Client) -> None:
    page = uploaded(operator, "email,name", "ada@example.org,Ada")
    person("ada@example.org", name="Somebody")
    before = people()

    page = confirmed(operator, page)

    assert "Nothing was imported. The directory changed since the preview." in text(page)
    assert [part["name"] for part in page.context["parts"]] == ["changed"]
    assert people() == before

    confirmed(operator, page)
    assert directory()["ada@example.org"]["name"] == "Ada"


def test_a_file_that_drops_many_is_imported_only_when_a_person_says_so(operator: Client) -> None:
    for place in range(10):
        person(f"p{place}@example.org")
    page = uploaded(operator, "email", "p0@example.org", replace="on")
    # The same words as the command's.
    told = "9 of 10 active people of source 'file' would lose access at once, which is more than 20 %."
    assert page.context["upload"].summary["refusal"].startswith(told)
    before = people()

    answer = operator.post(page.wsgi_request.path, forms(page)["confirm"])
    assert said(answer) == ["Nothing was imported. Allow the drop, or upload a repaired file."]
    worker()
    assert people() == before

    confirmed(operator, page, allow_drop="yes")
    assert Person.objects.filter(active=True).count() == 1


def test_the_page_tells_how_far_it_is_and_then_stops_asking(operator: Client) -> None:
    made = upload("email", "ada@example.org", asked_by=User.objects.get(username=OPERATOR))
    address = f"{IMPORT}{made.pk}/"
    assert f'hx-get="{address}"' not in operator.get(address).content.decode()
    Upload.objects.update(state=Upload.State.READING)
    assert "Waiting for a worker" in text(operator.get(address))
    made.claim(holder="w", now=timezone.now())
    made.tell("Checking the rows", 0.4, now=timezone.now())
    page = operator.get(address)
    assert "Checking the rows: 40 %" in text(page)
    assert f'hx-get="{address}"' in page.content.decode()


def test_the_only_source_that_is_filled_from_files_is_proposed(operator: Client) -> None:
    assert operator.get(IMPORT).context["form"]["source"].value() == "file"
    source("hr")
    assert operator.get(IMPORT).context["form"]["source"].value() == "hr"


# -- workers


@pytest.fixture
def shown(clients: dict[str, Client]) -> Upload:
    made: Upload = upload("email,groups", "ada@example.org,p", asked_by=User.objects.get(username=OPERATOR))
    return made


def asked(shown: Upload) -> Upload:
    assert shown.ask(by=shown.asked_by, digest=shown.digest, allow_drop=False, now=timezone.now())
    return shown


class Killed(BaseException):
    """The end of a worker, which nothing catches."""


@pytest.mark.parametrize("place", ["import_reading", "read"])
@pytest.mark.parametrize("late", [False, True])
def test_a_worker_killed_at_any_step_imports_nothing_and_another_one_all_of_it(
    shown: Upload, monkeypatch: pytest.MonkeyPatch, place: str, late: bool
) -> None:
    asked(shown)
    real = getattr(importing, place)

    def killed(*args: Any, **options: Any) -> Any:
        if late:
            real(*args, **options)
        raise Killed

    before = people()
    monkeypatch.setattr(importing, place, killed)
    with pytest.raises(Killed):
        uploads.go_on(shown.pk)
    monkeypatch.setattr(importing, place, real)
    assert people() == before

    # Its process is still there, so that only its silence tells.
    assert uploads.lost(now=timezone.now()) == []
    assert uploads.lost(now=timezone.now() + LEASE + timedelta(seconds=1)) == [shown.pk]
    monkeypatch.setattr(recovering, "is_gone", lambda holder: True)
    assert worker().state == Upload.State.DONE
    assert list(directory()) == ["ada@example.org"]


def test_a_worker_that_wakes_up_after_its_upload_was_taken_over_imports_nothing(
    shown: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(shown)
    real = importing.import_reading

    def slow(*args: Any, **options: Any) -> Any:
        plan = real(*args, **options)
        Upload.objects.update(holder="another")
        return plan

    monkeypatch.setattr(importing, "import_reading", slow)
    uploads.go_on(shown.pk)
    assert (directory(), verbs().count(Verb.PEOPLE_IMPORTED)) == ({}, 0)
    assert Upload.objects.get().state == Upload.State.IMPORTING


def test_what_a_worker_has_is_left_to_it(shown: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(shown).claim(holder="another", now=timezone.now())
    uploads.go_on(shown.pk)
    assert not shown.claim(holder="me", now=timezone.now())
    assert Upload.objects.get().holder == "another"


def test_a_defect_ends_it_and_says_nothing_of_what_was_in_the_file(
    shown: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("ada@example.org")

    monkeypatch.setattr(importing, "read", broken)
    uploads.go_on(asked(shown).pk)
    ended = Upload.objects.get()
    assert (ended.state, ended.note) == (
        Upload.State.FAILED,
        "An error in Cakewalk itself: RuntimeError. Nothing was imported. The worker's log has more.",
    )


@pytest.mark.parametrize(
    ("state", "kept"), [(Upload.State.SHOWN, SHOWN_FOR), (Upload.State.DONE, REMEMBERED)]
)
def test_what_nobody_imports_is_forgotten(
    shown: Upload, operator: Client, state: str, kept: timedelta
) -> None:
    now = timezone.now()
    Upload.objects.update(state=state, stepped_at=now - kept + timedelta(minutes=1))
    tasks.pick_up_uploads()
    assert Upload.objects.exists()
    Upload.objects.update(stepped_at=now - kept - timedelta(minutes=1))
    tasks.pick_up_uploads()
    assert not Upload.objects.exists()
    answer = operator.post(f"{IMPORT}{shown.pk}/", {"digest": shown.digest})
    assert (answer["Location"], said(answer)) == (
        IMPORT,
        ["This preview is no longer there, and nothing was imported. Upload the file again."],
    )
    assert directory() == {}
