"""Access rules as a file: every mistake named with its place, nothing half imported."""

import tomllib
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from directory.models import Group
from provisioning.rules_file import RulesFileError, export_rules, import_rules, parse
from tests.provisioning.builders import VOCABULARY
from tests.provisioning.world import World, command

GOOD = """
[[rule]]
name = "Engineers build in Search"
group = "Engineering"
role = "reader"
projects = [{ name = "Search", role = "member", create = true }, "Voice"]
groups = ["platform", { name = "search", create = true }]
roles = ["Key auditor"]
project_roles = ["Search: Prompt editor"]
state = "active"

[[rule]]
name = "Everyone reads"
role = "reader"
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not toml", "The file is not TOML in UTF-8"),
        ("", "The file holds no [[rule]]."),
        ("rule = 3", "Rules are [[rule]] tables."),
        ("name = 'x'\n[[rule]]\nname='a'\nrole='reader'", "Unknown key 'name' at the top"),
        ("[[rule]]\nrole = 'reader'", "Rule 1 needs a name, a text."),
        ("[[rule]]\nname = 'A'", "Rule 1 (A) needs a role, a text."),
        ("[[rule]]\nname = 'A'\nrole = 'admin'", "Rule 1 (A) has role 'admin'; choose one of reader, owner."),
        (
            "[[rule]]\nname = 'A'\nrole = 'reader'\nstate = 'on'",
            "has state 'on'; choose one of draft, proposed",
        ),
        ("[[rule]]\nname = 'A'\nrole = 'reader'\nrank = 1", "has an unknown key 'rank'"),
        ("[[rule]]\nname = 'A'\nrole = 'reader'\nprojects = 'S'", "has projects that is no list"),
        ("[[rule]]\nname = 'A'\nrole = 'reader'\nprojects = [1]", "has an entry in projects without a name"),
        (
            "[[rule]]\nname = 'A'\nrole = 'reader'\nprojects = [{name = 'S', role = 'king'}]",
            "has project role 'king'; choose one of viewer, member, owner",
        ),
        ("[[rule]]\nname = 'A'\nrole = 'reader'\nprojects = ['S', 's']", "names the project 's' twice"),
        ("group = 3", "Groups are [[group]] tables."),
        ("[[group]]\nprojects = []", "Group 1 needs a name, a text."),
        ("[[group]]\nname = 'g'", "Group 1 (g) needs projects, a list, which may be empty."),
        ("[[group]]\nname = 'g'\nprojects = 'S'", "Group 1 (g) has projects that is no list."),
        ("[[group]]\nname = 'g'\nprojects = ['S']", "has an entry in projects without a name"),
        ("[[group]]\nname = 'g'\nprojects = [{name = 'S'}]", "has an entry in projects without a role"),
        (
            "[[group]]\nname = 'g'\nprojects = [{name = 'S', role = 'r', x = 1}]",
            "has an unknown key 'x' in projects",
        ),
        (
            "[[group]]\nname = 'g'\nprojects = [{name = 'S', role = 'r'}, {name = 's', role = 'q'}]",
            "names 's' twice in projects",
        ),
        ("[[group]]\nname = 'g'\nprojects = []\nrole = 'r'", "has an unknown key 'role'; there are name"),
        ("[[group]]\nname = 'g'\nprojects = []\nstate = 'on'", "has state 'on'; choose one of draft"),
        (
            "[[group]]\nname='g'\nprojects=[]\n[[group]]\nname='G'\nprojects=[]",
            "Two groups are named 'g'.",
        ),
        ("[[rule]]\nname='A'\nrole='reader'\n[[rule]]\nname='a'\nrole='reader'", "Two rules are named 'a'."),
        (
            "[[rule]]\nname='A'\nrole='reader'\nprojects = [{name = 'S', create = 'yes'}]",
            "Rule 1 (A) has a create in projects that is neither true nor false.",
        ),
        (
            "[[rule]]\nname='A'\nrole='reader'\nroles = [{name = 'S', create = true}]",
            "Rule 1 (A) wants a role to be created, which is for groups, projects only.",
        ),
    ],
)
def test_each_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(RulesFileError) as caught:
        parse(text.encode(), VOCABULARY)
    assert problem in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(RulesFileError) as caught:
        parse(b"[[rule]]\nrole = 'x'\n[[rule]]\nname = 'B'", VOCABULARY)
    assert len(caught.value.problems) == 3


def test_what_is_imported_is_exported_and_imported_again_without_a_change(world: World) -> None:
    Group.objects.create(name="engineering")
    outcome = import_rules(world.integration, GOOD.encode())
    assert outcome == {
        "added": ["Engineers build in Search", "Everyone reads"],
        "changed": [],
        "unchanged": [],
    }
    rule = world.integration.rules.get(name="Engineers build in Search")
    assert {(grant.kind, grant.name, grant.role) for grant in rule.grants.all()} == {
        ("project", "Search", "member"),
        ("project", "Voice", "member"),
        ("group", "platform", "member"),
        ("group", "search", "member"),
        ("role", "Key auditor", "holder"),
        ("project role", "Search: Prompt editor", "holder"),
    }
    assert world.integration.rules.get(name="Everyone reads").state == "draft"

    exported = export_rules(world.integration)
    assert tomllib.loads(exported)["rule"][0] == {
        "name": "Engineers build in Search",
        "group": "engineering",
        "role": "reader",
        "groups": ["platform", {"name": "search", "create": True}],
        "project_roles": ["Search: Prompt editor"],
        "projects": [
            {"name": "Search", "role": "member", "create": True},
            {"name": "Voice", "role": "member"},
        ],
        "roles": ["Key auditor"],
        "state": "active",
    }
    again = import_rules(world.integration, exported.encode())
    assert (again["added"], again["changed"], len(again["unchanged"])) == ([], [], 3)


def test_groups_are_imported_and_exported_beside_the_rules(world: World) -> None:
    tables = (
        '[[group]]\nname = "owners"\nprojects = []\nstate = "draft"\n\n'
        '[[group]]\nname = "platform"\nprojects = [{ name = "Search", role = "viewer" }]\nstate = "active"\n'
    )
    outcome = import_rules(world.integration, tables.encode())
    assert outcome == {"added": ["group owners", "group platform"], "changed": [], "unchanged": []}
    exported = export_rules(world.integration)
    assert tomllib.loads(exported)["group"] == tomllib.loads(tables)["group"]
    assert len(import_rules(world.integration, exported.encode())["unchanged"]) == 3
    changed = import_rules(world.integration, tables.replace("viewer", "Prompt editor").encode())
    assert (changed["changed"], changed["unchanged"]) == (["group platform"], ["group owners"])


def test_an_unknown_directory_group_stops_the_whole_file(world: World) -> None:
    with pytest.raises(RulesFileError, match="no directory group 'Engineering'"):
        import_rules(world.integration, GOOD.encode())
    assert world.integration.rules.count() == 1


def test_a_changed_rule_is_changed_and_the_others_stay(world: World) -> None:
    Group.objects.create(name="engineering")
    import_rules(world.integration, GOOD.encode())
    outcome = import_rules(world.integration, b'[[rule]]\nname = "everyone READS"\nrole = "owner"')
    assert outcome["changed"] == ["everyone READS"]
    assert world.integration.rules.count() == 3


def test_the_command_says_what_is_wrong_and_leaves_with_status_2(world: World, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    with pytest.raises(CommandError, match="cannot be read: No such file") as missing:
        call_command("import_rules", str(file))
    assert missing.value.returncode == 2
    file.write_text("[[rule]]\nname = 'A'\nrole = 'king'")
    with pytest.raises(CommandError, match="was not imported"):
        call_command("import_rules", str(file), "--integration", "Acme")
    file.write_text(GOOD.replace('group = "Engineering"\n', ""))
    document, status = command("import_rules", str(file))
    assert (status, document["integration"], len(document["added"])) == (0, "Acme", 2)


def test_a_file_that_cannot_be_written_is_named(world: World, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"rules\.toml cannot be written: No such file") as refused:
        call_command("export_rules", str(tmp_path / "nowhere" / "rules.toml"))
    assert refused.value.returncode == 2
