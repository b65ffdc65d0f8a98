"""A file of people is imported completely or not at all, and says what it did."""

from datetime import date

import pytest
from django.db import IntegrityError

from directory import bulk, importing
from directory.import_plan import Options
from directory.importing import DirectoryChanged
from directory.models import Group, Membership, Person, PersonEmail, Source
from tests.directory.builders import (
    NOW,
    csv_file,
    directory,
    excel_file,
    import_lines,
    person,
    problems,
    source,
)

pytestmark = pytest.mark.django_db


def test_people_groups_and_aliases_come_out_of_a_file():
    plan = import_lines(
        "E-Mail,NAME,Active,Groups,aliases,Department,Title,Employee ID,start date,End_Date",
        "Ada@Example.org,Ada,yes,Engineering; platform ;engineering,"
        "ada.l@example.org,R&D,Lead,007,2026-01-31,",
        "bob@example.org,Bob,0,,,,,,,2026-12-31",
    )
    assert directory() == {
        "Ada@Example.org": {
            "name": "Ada",
            "active": True,
            "groups": ["Engineering", "platform"],
            "addresses": ["ada.l@example.org", "ada@example.org"],
            "source": "file",
        },
        "bob@example.org": {
            "name": "Bob",
            "active": False,
            "groups": [],
            "addresses": ["bob@example.org"],
            "source": "file",
        },
    }
    ada = Person.objects.get(email="Ada@Example.org")
    assert (ada.department, ada.title, ada.employee_id) == ("R&D", "Lead", "007")
    assert (ada.start_date, ada.end_date) == (date(2026, 1, 31), None)
    assert (plan.applied, len(plan.added), plan.groups_made) == (True, 2, ["Engineering", "platform"])


def test_excel_dates_numbers_and_truths_are_understood():
    content = excel_file(
        ["email", "employee_id", "active", "end_date"],
        ["a@x.org", 1234.0, False, date(2026, 3, 31)],
    )
    plan = importing.import_people("people.xlsx", content, Options(), now=NOW)
    assert problems(plan) == []
    made = Person.objects.get()
    assert (made.employee_id, made.active, made.end_date) == ("1234", False, date(2026, 3, 31))


def test_a_cell_that_looks_like_a_formula_stays_text():
    import_lines("email,name", '''a@x.org,"=HYPERLINK(""http://evil"")"''')
    assert Person.objects.get().name == '=HYPERLINK("http://evil")'


def test_importing_the_same_file_again_changes_nothing():
    lines = ("email,name,groups,aliases", "a@x.org,A,p;q,b@x.org", "c@x.org,C,,")
    import_lines(*lines)
    written = set(PersonEmail.objects.values_list("pk")) | set(Membership.objects.values_list("pk"))
    plan = import_lines(*lines)
    assert (plan.changes, plan.unchanged, plan.groups_made) == ([], 2, [])
    assert set(PersonEmail.objects.values_list("pk")) | set(Membership.objects.values_list("pk")) == written


def test_absent_columns_leave_what_is_known_and_empty_cells_clear_it():
    person("a@x.org", name="A", title="Lead", groups=("p",), aliases=("b@x.org",), end_date=date(2026, 5, 1))
    import_lines("email,name", "a@x.org,")
    assert directory()["a@x.org"] == {
        "name": "",
        "active": True,
        "groups": ["p"],
        "addresses": ["a@x.org", "b@x.org"],
        "source": "file",
    }
    import_lines("email,groups,aliases,end_date", "a@x.org,,,")
    assert directory()["a@x.org"]["groups"] == []
    assert directory()["a@x.org"]["addresses"] == ["a@x.org"]
    kept = Person.objects.get()
    assert (kept.title, kept.end_date) == ("Lead", None)


def test_every_change_is_told_with_before_and_after():
    person("a@x.org", name="A", groups=("p",))
    person("b@x.org")
    plan = import_lines(
        "email,name,groups,active", "A@x.org,Ada,P;q,", "b@x.org,,,no", "c@x.org,,,no", allow_drop=True
    )
    document = plan.as_json(dry_run=False)
    assert document == {
        "file": "people.csv",
        "source": "file",
        "dry_run": False,
        "applied": True,
        "rows": 3,
        "added": 1,
        "changed": 1,
        "deactivated": 1,
        "unchanged": 0,
        "untouched": 0,
        "groups_made": ["q"],
        "people": {
            "added": [
                {
                    "email": "c@x.org",
                    "rows": (4,),
                    "fields": {"email": [None, "c@x.org"], "active": [None, False]},
                }
            ],
            "changed": [
                {
                    "email": "A@x.org",
                    "rows": (2,),
                    "fields": {
                        "email": ["a@x.org", "A@x.org"],
                        "name": ["A", "Ada"],
                        "groups": [("p",), ("p", "q")],
                    },
                }
            ],
            "deactivated": [{"email": "b@x.org", "rows": (3,), "fields": {"active": [True, False]}}],
        },
        "warnings": [],
        "errors": [],
    }


def test_every_error_of_every_row_is_named_and_nothing_is_written():
    plan = import_lines(
        "email,name,active,aliases,start_date,end_date,employee_id,groups",
        "good@x.org,Good,yes,,,,,new",
        ",Nobody,yes,,,,,",
        "not-an-email,N,maybe,,31.1.2026,2026-02-30,,",
        f"long@x.org,{'x' * 201},yes,nope,,,{'9' * 101},{'g' * 201}",
        "sheet@x.org,#N/A,yes,,45000,,,",
        "span@x.org,S,yes,,2026-02-02,2026-02-01,,",
    )
    assert problems(plan) == [
        (3, "email", "The e-mail is missing."),
        (4, "email", "'not-an-email' is not an e-mail address."),
        (4, "active", "'maybe' is neither true nor false."),
        (4, "start_date", "'31.1.2026' is not a date; write it as 2026-01-31."),
        (4, "end_date", "2026-02-30 is no day of the calendar."),
        (5, "name", f"'{'x' * 57}…' is longer than 200 characters."),
        (5, "aliases", "'nope' is not an e-mail address."),
        (5, "employee_id", f"'{'9' * 57}…' is longer than 100 characters."),
        (5, "groups", f"'{'g' * 57}…' is longer than 200 characters."),
        (6, "name", "The cell holds the spreadsheet error #N/A."),
        (6, "start_date", "'45000' is not a date; write it as 2026-01-31."),
    ]
    assert (plan.applied, plan.changes) == (False, [])
    assert not Person.objects.exists()
    assert not Group.objects.exists()
    assert not Source.objects.exists()


def test_an_end_before_the_known_start_is_an_error():
    person("a@x.org", start_date=date(2026, 2, 2))
    plan = import_lines("email,end_date", "b@x.org,2026-01-01", "a@x.org,2026-02-01")
    assert problems(plan) == [(3, "end_date", "The end date 2026-02-01 is before the start date 2026-02-02.")]
    assert list(directory()) == ["a@x.org"]


def test_one_bad_row_at_the_end_of_many_good_ones_keeps_all_of_them_out():
    good = [f"p{number}@x.org,Person" for number in range(1500)]
    plan = import_lines("email,name", *good, "broken,Person")
    assert [problem.row for problem in plan.problems] == [1502]
    assert not Person.objects.exists()


def test_a_failure_of_the_database_half_way_leaves_nothing_behind(monkeypatch):
    def refuse(model, columns, rows, insert=bulk.insert, **update):
        if model is Membership:
            raise IntegrityError("unique")
        return insert(model, columns, rows, **update)

    monkeypatch.setattr(importing, "insert", refuse)
    with pytest.raises(DirectoryChanged, match="Import again"):
        import_lines("email,groups", "a@x.org,p")
    assert not Person.objects.exists()
    assert not PersonEmail.objects.exists()
    assert not Group.objects.exists()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ("email,nmae,Full Name", "a@x.org,A,A"),
            (
                1,
                None,
                "Unknown column 'nmae' and 'Full Name'. The columns are email, name, active, groups, "
                "aliases, department, title, employee_id, start_date, end_date and time_zone.",
            ),
        ),
        (("name,active", "A,yes"), (1, "email", "There is no column 'email'; it names each person.")),
        (("email,name,Name", "a@x.org,A,A"), (1, "name", "There are two columns 'name'.")),
        (("", "email,name", "a@x.org,A,B"), (3, None, "The row has 3 cells, but there are 2 columns.")),
        (("email,,name", "a@x.org,A,B"), (2, None, "'A' stands in a column without a heading.")),
        (("email,name", "a@x.org,A\x07"), (2, "name", "'A\\x07' contains a control character.")),
        (("",), (None, None, "The file is empty. Its first row must name the columns.")),
    ],
)
def test_a_table_that_is_not_ours_is_refused_by_its_place(lines, problem):
    assert problems(import_lines(*lines)) == [problem]


def test_spaces_and_line_breaks_that_spreadsheets_leave_are_tidied():
    import_lines("email,name", '\u00a0a@x.org ,"Ada\n  Love\u00a0lace"')
    assert Person.objects.get().name == "Ada Love lace"


# Rows that name one person


def test_rows_naming_one_email_are_one_person_with_the_groups_of_the_active_rows():
    plan = import_lines(
        "email,name,active,groups,title",
        "Ada@x.org,,no,old,Intern",
        "ada@X.org,Ada,yes,p;q,",
        "ada@x.org,A. L.,yes,Q;r,Lead",
    )
    assert directory() == {
        "ada@X.org": {
            "name": "Ada",
            "active": True,
            "groups": ["p", "q", "r"],
            "addresses": ["ada@x.org"],
            "source": "file",
        }
    }
    assert Person.objects.get().title == "Lead"
    assert plan.warnings == ["Rows 2, 3 and 4 name one person, ada@X.org, and were merged."]
    assert not Group.objects.filter(name="old").exists()


def test_a_row_that_has_ended_gives_no_groups_to_the_one_in_force():
    import_lines(
        "email,groups,start_date,end_date",
        "a@x.org,admins,2020-01-01,2026-03-09",
        "a@x.org,p,2026-01-01,2026-06-30",
        "a@x.org,q,2025-01-01,2026-12-31",
    )
    assert directory()["a@x.org"]["groups"] == ["p", "q"]
    merged = Person.objects.get()
    assert (merged.start_date, merged.end_date) == (date(2025, 1, 1), date(2026, 12, 31))


def test_a_row_without_an_end_makes_the_merged_person_open_ended():
    import_lines("email,end_date", "a@x.org,2026-12-31", "a@x.org,")
    assert Person.objects.get().end_date is None


def test_a_person_is_inactive_only_if_all_their_rows_are():
    import_lines("email,active", "a@x.org,no", "a@x.org,FALSE")
    assert directory()["a@x.org"]["active"] is False


# Whose address it is


def test_an_alias_of_another_row_is_an_error_that_names_the_row():
    plan = import_lines("email,aliases", "a@x.org,B@x.org", "b@x.org,", "c@x.org,d@x.org", "e@x.org,D@x.org")
    assert problems(plan) == [
        (2, "aliases", "B@x.org already belongs to b@x.org in row 3."),
        (5, "aliases", "D@x.org already belongs to c@x.org in row 4."),
    ]
    assert directory() == {}


def test_an_address_of_another_source_is_an_error_that_names_holder_and_source():
    person("hr@x.org", aliases=("alias@x.org",), source=source("okta", Source.Kind.SCIM))
    plan = import_lines("email,aliases", "HR@x.org,", "alias@x.org,", "me@x.org,mine@x.org")
    assert problems(plan) == [
        (2, "email", "HR@x.org already belongs to hr@x.org of source 'okta'."),
        (3, "email", "alias@x.org already belongs as an alias to hr@x.org of source 'okta'."),
    ]
    plan = import_lines("email,aliases", "me@x.org,hr@x.org")
    assert problems(plan) == [
        (2, "aliases", "hr@x.org already belongs to hr@x.org of source 'okta'."),
    ]
    assert list(directory()) == ["hr@x.org"]


def test_an_alias_of_a_person_whom_the_file_leaves_alone_is_an_error():
    person("bob@x.org", aliases=("robert@x.org",))
    plan = import_lines("email,aliases", "robert@x.org,", "ada@x.org,bob@x.org")
    assert problems(plan) == [
        (2, "email", "robert@x.org already belongs as an alias to bob@x.org of source 'file'."),
        (3, "aliases", "bob@x.org already belongs to bob@x.org of source 'file'."),
    ]


@pytest.mark.parametrize("batch", [bulk.BATCH, 1])
def test_an_alias_moves_when_the_same_file_takes_it_from_its_holder(batch, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", batch)
    person("a@x.org", aliases=("shared@x.org",))
    person("b@x.org")
    plan = import_lines("email,aliases", "b@x.org,shared@x.org", "a@x.org,", "c@x.org,")
    assert problems(plan) == []
    assert directory()["b@x.org"]["addresses"] == ["b@x.org", "shared@x.org"]
    assert directory()["a@x.org"]["addresses"] == ["a@x.org"]


def test_an_alias_equal_to_the_own_address_or_named_twice_is_no_error():
    import_lines("email,aliases", "a@x.org,A@x.org; b@x.org ;B@X.org")
    assert directory()["a@x.org"]["addresses"] == ["a@x.org", "b@x.org"]


def test_a_person_is_found_by_any_spelling_of_their_address():
    person("ada@bücher.example", name="A")
    plan = import_lines("email,name", "ADA@xn--bcher-kva.example,Ada")
    assert (len(plan.changed), len(plan.added)) == (1, 0)
    assert PersonEmail.objects.get().address == "ADA@xn--bcher-kva.example"


def test_a_file_is_not_imported_into_a_source_that_something_else_fills():
    source("okta", Source.Kind.SCIM)
    plan = import_lines("email", "a@x.org", source="okta")
    assert problems(plan) == [
        (
            None,
            None,
            "Source 'okta' is not filled from files but is a 'SCIM client' one. Name another source.",
        )
    ]


# Replacing, and its guard


def _ten_people():
    for number in range(10):
        person(f"p{number}@x.org")
    person("by.hand@x.org", source=source("by hand", Source.Kind.MANUAL))


def _lines(*numbers: int) -> list[str]:
    return ["email", *(f"p{number}@x.org" for number in numbers)]


def _active() -> set[str]:
    return set(Person.objects.filter(active=True).values_list("email", flat=True))


def test_replace_deactivates_the_absent_people_of_this_source_only():
    _ten_people()
    plan = import_lines(*_lines(*range(8)), replace=True)
    assert [change.after["email"] for change in plan.deactivated] == ["p8@x.org", "p9@x.org"]
    assert _active() == {*(f"p{number}@x.org" for number in range(8)), "by.hand@x.org"}


def test_without_replace_absent_people_stay_as_they_are():
    _ten_people()
    plan = import_lines(*_lines(0))
    assert (plan.deactivated, plan.unchanged, plan.untouched) == ([], 1, 9)
    assert len(_active()) == 11


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (_lines(*range(7)), {"replace": True}),
        (["email,active", "p1@x.org,no", "p2@x.org,no", "p3@x.org,no"], {}),
        (["email,end_date", "p1@x.org,2026-01-01", "p2@x.org,2026-01-01", "p3@x.org,2026-01-01"], {}),
    ],
)
def test_more_than_a_fifth_of_a_source_lost_at_once_is_refused_with_numbers(lines, options):
    _ten_people()
    plan = import_lines(*lines, **options)
    assert problems(plan) == [
        (
            None,
            None,
            "3 of 10 active people of source 'file' would lose access at once, which is more than 20 %. "
            "Check the file; if it is right, allow the drop.",
        )
    ]
    assert (plan.applied, len(_active())) == (False, 11)
    assert Person.objects.filter(end_date__isnull=False).count() == 0


def test_an_allowed_drop_is_applied_and_remembered_on_the_source():
    _ten_people()
    plan = import_lines(*_lines(0), replace=True, allow_drop=True)
    assert (plan.applied, len(plan.deactivated)) == (True, 9)
    assert Source.objects.get(name="file").drop_allowed_at == NOW


def test_allowing_a_drop_that_does_not_happen_is_not_remembered():
    _ten_people()
    import_lines(*_lines(*range(10)), replace=True, allow_drop=True)
    assert Source.objects.get(name="file").drop_allowed_at is None


def test_an_empty_file_never_replaces_anybody_unless_that_is_allowed():
    _ten_people()
    plan = import_lines("email", replace=True)
    assert problems(plan) == [
        (
            None,
            None,
            "The file names nobody, and 10 of 10 active people of source 'file' would be deactivated. "
            "Check the file; if it is right, allow the drop.",
        )
    ]
    assert import_lines("email", replace=True, allow_drop=True).applied
    assert _active() == {"by.hand@x.org"}


def test_someone_who_returns_in_a_file_that_says_nothing_of_active_stays_out_with_a_warning():
    person("a@x.org", active=False)
    plan = import_lines("email,name", "a@x.org,A")
    assert directory()["a@x.org"]["active"] is False
    assert plan.warnings == [
        "a@x.org: inactive in the directory, and still so after this import, because the file does "
        "not say who is active."
    ]


# Preview and apply


def test_a_preview_is_the_plan_that_is_applied_and_writes_nothing():
    person("a@x.org", name="A")
    content = csv_file("email,name,groups", "a@x.org,Ada,p", "b@x.org,B,q")
    before = directory()
    shown = importing.preview("people.csv", content, Options(), now=NOW)
    assert directory() == before
    assert not Group.objects.exists()
    done = importing.import_people("people.csv", content, Options(), now=NOW, digest=shown.digest)
    assert (done.applied, done.as_json(dry_run=True)["people"]) == (
        True,
        shown.as_json(dry_run=True)["people"],
    )


def test_a_plan_that_is_no_longer_the_previewed_one_is_not_applied():
    content = csv_file("email,name", "a@x.org,Ada", "b@x.org,B")
    shown = importing.preview("people.csv", content, Options(), now=NOW)
    person("a@x.org", name="A")
    with pytest.raises(DirectoryChanged, match="changed since the preview"):
        importing.import_people("people.csv", content, Options(), now=NOW, digest=shown.digest)
    assert list(directory()) == ["a@x.org"]


@pytest.mark.parametrize("changed", [False, True])
def test_the_number_of_queries_grows_only_by_the_batch(changed, django_assert_max_num_queries):
    lines = [f"p{n}@x.org,P,g{n % 7},alias{n}@x.org" for n in range(1000)]
    import_lines("email,name,groups,aliases", *lines)
    if changed:
        lines = [line.replace(",P,", ",Q,").replace("alias", "other") for line in lines]
    with django_assert_max_num_queries(55):
        import_lines("email,name,groups,aliases", *lines)
