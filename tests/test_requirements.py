"""requirements.in names what the code imports and nothing else, each with what it is for."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("cakewalk", "directory", "integrations", "provisioning", "tests")
RUN_AND_NOT_IMPORTED = {
    "defusedxml": "used by openpyxl where it is there",
    "gunicorn": "the command that serves in production",
    "psycopg": "imported by Django for postgres://",
    "redis": "imported by Celery for redis://",
    "tzdata": "read by Python's zoneinfo",
    "whitenoise": "named in the settings",
}


def imported(folders: tuple[str, ...]) -> set[str]:
    """The distributions whose packages the code imports."""
    modules: set[str] = set()
    for path in (path for folder in folders for path in ROOT.joinpath(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    foreign = modules - set(OURS) - sys.stdlib_module_names
    distributions = packages_distributions()
    return {bare(distributions.get(module, [module])[0]) for module in foreign}


def bare(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(file: str) -> dict[str, str]:
    """Each direct requirement's comment, by its name."""
    lines = [line for line in ROOT.joinpath(file).read_text().splitlines() if line[:1].isalpha()]
    found = {}
    for line in lines:
        requirement, _, comment = line.partition("#")
        found[bare(re.split(r"[\[=<>~]", requirement)[0].strip())] = comment.strip()
    return found


def test_every_requirement_is_imported_and_every_import_required() -> None:
    needed = imported(OURS[:4]) | set(RUN_AND_NOT_IMPORTED)
    assert set(required("requirements.in")) == needed


def test_every_requirement_says_what_for() -> None:
    for file in ("requirements.in", "requirements-dev.in"):
        assert [name for name, comment in required(file).items() if not comment] == []


def test_what_is_installed_is_pinned_with_hashes_and_names_no_index() -> None:
    for file in ("requirements.txt", "requirements-dev.txt"):
        text = ROOT.joinpath(file).read_text()
        pins = re.findall(r"^([a-z][\w.\[\]-]*)(.*)", text, re.MULTILINE)
        assert len(pins) > 20
        assert [name for name, rest in pins if not rest.startswith("==")] == []
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
