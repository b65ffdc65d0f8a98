"""Settings: each is documented, and a bad or missing one stops the start with one line that names it."""

import ast
import base64
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from cakewalk import links
from tests.environment import new_fernet_key

ROOT = Path(__file__).parent.parent
GOOD_KEY = base64.urlsafe_b64encode(b"k" * 32).decode("ascii")  # the same in every process of a test run
GOOD = {"DJANGO_SECRET_KEY": "w" * 50, "FERNET_KEYS": GOOD_KEY}


def called(tree: ast.AST, owner: str | None) -> list[ast.Call]:
    """Calls of a plain function, or of `owner`'s."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if owner is None:
        return [call for call in calls if isinstance(call.func, ast.Name)]
    return [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == owner
    ]


def readers_of_secrets() -> set[str]:
    """`secret` itself, and the functions of environment.py that read through it."""
    tree = ast.parse((ROOT / "cakewalk/environment.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    through = {
        function.name
        for function in functions
        if any(ast.unparse(call.func) == "secret" for call in called(function, None))
    }
    return through | {"secret"}


def variables() -> set[str]:
    """Every name that the settings read, with NAME_FILE for the secrets."""
    secret = readers_of_secrets()
    names = set()
    for call in called(ast.parse((ROOT / "cakewalk/settings.py").read_text()), "environment"):
        name = ast.literal_eval(call.args[0])
        names.add(name)
        if isinstance(call.func, ast.Attribute) and call.func.attr in secret:
            names.add(f"{name}_FILE")
    return names


def test_secrets_are_told_from_the_rest():
    assert {name for name in variables() if f"{name}_FILE" in variables()} == {
        "CELERY_BROKER_URL",
        "DATABASE_URL",
        "DJANGO_SECRET_KEY",
        "EMAIL_URL",
        "FERNET_KEYS",
        "LEDGER_KEY",
        "METRICS_TOKEN",
        "OIDC_CLIENT_SECRET",
        "OPENAI_ADMIN_KEY",
    }


def test_the_example_names_exactly_what_is_read():
    example = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    assert sorted(named) == sorted(variables())


def test_the_page_of_settings_names_exactly_what_is_read():
    page = (ROOT / "docs/settings.md").read_text()
    named = [
        name
        for first_cell in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", first_cell)
    ]
    assert sorted(named) == sorted(variables())


def defaults() -> dict[str, str]:
    """What .env.example shows."""
    example = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))


def test_the_example_shows_the_defaults():
    # shown as seen from beside manage.py
    paths = ("DATABASE_URL", "LEDGER_CHECKPOINTS", "VAR_DIR", "ENV_FILE")
    shown = {name: value for name, value in defaults().items() if value and name not in paths}
    given, by_itself = (settings(ENV_FILE=os.devnull, **GOOD, **more) for more in (shown, {}))

    assert len(shown) > 6
    assert {name for name, value in by_itself.items() if name.isupper() and value != given[name]} == set()


def test_the_page_of_settings_shows_the_defaults():
    page = (ROOT / "docs/settings.md").read_text()
    cells = dict(re.findall(r"^\| `([A-Z_]+)`.*? \| .*? \| (.*?) \|", page, re.MULTILINE))

    assert set(cells) == {name for name in defaults() if not name.endswith("_FILE") or name == "ENV_FILE"}
    for name, value in defaults().items():
        if name in cells:
            literal = ", ".join(f"`{part}`" for part in value.removeprefix("sqlite:///").split(",") if part)
            said = cells[name].startswith(literal) if literal else not cells[name].startswith("`")
            assert said, (name, value, cells[name])


def run(*words: str, **given: str) -> subprocess.CompletedProcess[str]:
    """A Python command with these variables and nothing of this machine."""
    environment = {"PATH": os.environ["PATH"], **given}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def start(env_file: str = os.devnull, **given: str) -> subprocess.CompletedProcess[str]:
    return run("manage.py", "check", ENV_FILE=env_file, **given)


def settings(**given: str) -> dict[str, Any]:
    """What is made of these variables and nothing of this machine."""
    with mock.patch.dict(os.environ, given, clear=True):
        return runpy.run_path(str(ROOT / "cakewalk/settings.py"))


def test_the_example_with_its_defaults_and_two_secrets_starts(tmp_path):
    example = (ROOT / ".env.example").read_text()
    defaults = [line.removeprefix("#") for line in re.findall(r"^#?[A-Z_]+=.*$", example, re.MULTILINE)]
    (tmp_path / "env").write_text("\n".join(line for line in defaults if not line.startswith("ENV_FILE")))
    found = start(str(tmp_path / "env"), **GOOD)
    assert (found.returncode, found.stderr) == (0, "")


def test_secrets_are_read_from_files(tmp_path):
    another = new_fernet_key()
    (tmp_path / "signing").write_text("w" * 50 + "\n")
    (tmp_path / "fernet").write_text(f"{another}, {GOOD_KEY}\n")
    (tmp_path / "database").write_text("sqlite://:memory:\n")
    (tmp_path / "env").write_text(
        f"DJANGO_SECRET_KEY_FILE={tmp_path}/signing\nFERNET_KEYS_FILE={tmp_path}/fernet\n"
        f"DATABASE_URL_FILE={tmp_path}/database\nDATABASE_URL=the file wins\n"
    )
    found = settings(ENV_FILE=str(tmp_path / "env"))
    assert (found["SECRET_KEY"], found["FERNET_KEYS"]) == ("w" * 50, [another, GOOD_KEY])
    assert found["DATABASES"]["default"]["NAME"] == ":memory:"


def test_a_secret_that_begins_with_a_dollar_sign_is_taken_as_it_stands():
    found = settings(ENV_FILE=os.devnull, **GOOD | {"DJANGO_SECRET_KEY": "$" * 50})
    assert found["SECRET_KEY"] == "$" * 50


def test_a_proxy_is_believed_only_where_its_header_is_named():
    assert settings(ENV_FILE=os.devnull, **GOOD)["SECURE_PROXY_SSL_HEADER"] is None
    found = settings(ENV_FILE=os.devnull, **GOOD, SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto")
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_without_a_mail_server_no_e_mail_goes_anywhere():
    assert settings(ENV_FILE=os.devnull, **GOOD)["EMAIL_BACKEND"].endswith("dummy.EmailBackend")
    found = settings(ENV_FILE=os.devnull, **GOOD, EMAIL_URL="smtp+tls://me%40x:p%2Fw@mail.example.org")
    assert {name: value for name, value in found.items() if name.startswith("EMAIL_")} == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_USER": "me@x",
        "EMAIL_HOST_PASSWORD": "p/w",
        "EMAIL_USE_TLS": True,
        "EMAIL_TIMEOUT": 20,
    }


BAD = [
    ("DJANGO_SECRET_KEY", "", "is not set, and neither is DJANGO_SECRET_KEY_FILE."),
    ("DJANGO_SECRET_KEY", "hunter2", "is too short: it needs at least 32 characters."),
    ("FERNET_KEYS", "", "is not set, and neither is FERNET_KEYS_FILE."),
    ("FERNET_KEYS", " , ", "key 1 of 1 is not a Fernet key"),
    ("FERNET_KEYS", "hunter2", "key 1 of 1 is not a Fernet key"),
    ("FERNET_KEYS", f"{GOOD_KEY},hunter2", "key 2 of 2 is not a Fernet key"),
    ("FERNET_KEYS", f"{GOOD_KEY},hunter2é", "key 2 of 2 is not a Fernet key"),
    ("LEDGER_KEY", "hunter2", "is not a key of `history key`"),
    ("LEDGER_PUBLIC_KEYS", "hunter2", "key 1 of 1 is not a public key of `history key`"),
    ("LEDGER_CHECKPOINTS", os.devnull, "is no folder"),
    ("DATABASE_URL", "oracle://me:hunter2@db/acme", "begins with neither postgres:// nor sqlite:///"),
    ("DATABASE_URL", "hunter2", "begins with neither postgres:// nor sqlite:///"),
    ("DATABASE_URL", "sqlite://hunter2.sqlite3", "begins with neither postgres:// nor sqlite:///"),
    ("DATABASE_URL", "postgres://me:hunter2/@db/acme", "cannot be read"),
    ("DATABASE_URL", "postgres://me:hunter2@db:5432", "cannot be read"),
    ("CELERY_BROKER_URL", "carrier://me:hunter2@pigeon", "is neither memory:// nor an address of Redis"),
    ("CELERY_BROKER_URL", "hunter2", "is neither memory:// nor an address of Redis"),
    ("CELERY_BROKER_URL", "redis://:hunter2@db:port/0", "is neither memory:// nor an address of Redis"),
    ("CELERY_BROKER_URL", "redis://:hunter2@db/first", "is neither memory:// nor an address of Redis"),
    ("DJANGO_DEBUG", "maybe", "is 'maybe'; write true or false."),
    ("ALLOWED_HOSTS", "cakewalk.example.org,https://x.org", "'https://x.org' is not a host name"),
    ("CONNECTOR_ALLOWED_HOSTS", "proxy.example.org:8443", "'proxy.example.org:8443' is not a host name"),
    ("CSRF_TRUSTED_ORIGINS", "cakewalk.example.org", "'cakewalk.example.org' is not an origin"),
    (
        "SECURE_PROXY_SSL_HEADER",
        "X-Forwarded-Proto: https",
        "'X-Forwarded-Proto: https' is no name of a header",
    ),
    ("OPENAI_BASE_URL", "me:hunter2@proxy", "is not an address"),
    ("PUBLIC_URL", "me:hunter2@cakewalk", "is not an address"),
    ("PUBLIC_URL", "https://[hunter2", "is not an address"),
    ("TRUSTED_PROXIES", "10.0.0.1,nginx", "'nginx' is no address and no network"),
    ("TRUSTED_PROXIES", "0.0.0.0/0", "'0.0.0.0/0' is everybody"),
    ("HSTS_SECONDS", "1y", "'1y' is no number"),
    ("HSTS_INCLUDE_SUBDOMAINS", "maybe", "is 'maybe'; write true or false."),
    ("SECURE_SSL_REDIRECT", "maybe", "is 'maybe'; write true or false."),
    ("EMAIL_URL", "mail.example.org", "is no address of a mail server"),
    ("EMAIL_URL", "smtps://me:hunter2@mail", "is no address of a mail server"),
    ("EMAIL_URL", "smtp+tls://me:hunter2/@mail:port", "is no address of a mail server"),
    ("DEFAULT_FROM_EMAIL", "Cakewalk", "'Cakewalk' is no e-mail address"),
    ("RETENTION_FOLDER", "history", "must be a whole path, which begins with /"),
    ("WEBHOOK_ALLOWED_HOSTS", "https://x.org", "'https://x.org' is not a host name"),
    ("PORT", "80a", "'80a' is no port"),
    ("TIME_ZONE", "Europe/Cakewalk", "'Europe/Cakewalk' is no time zone; write it as Europe/Berlin."),
    ("DJANGO_SECRET_KEY_FILE", "nothing/here", "cannot read nothing/here: No such file or directory."),
    ("FERNET_KEYS_FILE", "nothing/here", "cannot read nothing/here: No such file or directory."),
    ("DATABASE_URL_FILE", ".", "cannot read .: Is a directory."),
    ("CELERY_BROKER_URL_FILE", os.devnull, "is empty."),
    ("OPENAI_ADMIN_KEY_FILE", "cakewalk/static/cakewalk", "cannot read"),
    ("ENV_FILE", "nothing/here", "cannot read nothing/here: No such file or directory."),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD, ids=lambda given: given or "empty")
def test_a_bad_setting_stops_the_start_by_its_name(tmp_path, monkeypatch, recwarn, capfd, name, value, said):
    monkeypatch.chdir(ROOT)
    (tmp_path / "env").write_text("")
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings(**{"ENV_FILE": str(tmp_path / "env"), **GOOD, name: value})
    sentence = str(refusal.value)
    assert re.fullmatch(rf"{name}\b.*", sentence)
    assert said in sentence
    assert "hunter2" not in sentence
    assert GOOD_KEY not in sentence
    assert (list(recwarn), capfd.readouterr()) == ([], ("", ""))


def test_a_missing_secret_stops_the_start_by_its_name():
    found = start(FERNET_KEYS=GOOD_KEY)
    said = "cakewalk: DJANGO_SECRET_KEY is not set, and neither is DJANGO_SECRET_KEY_FILE.\n"
    assert (found.returncode, found.stdout, found.stderr) == (1, "", said)


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "gunicorn", "--check-config", "cakewalk.wsgi"),
        ("-m", "celery", "-A", "cakewalk", "worker"),
        ("-m", "celery", "-A", "cakewalk", "beat"),
    ],
    ids=" ".join,
)
def test_no_process_starts_with_a_bad_setting(words):
    found = run(*words, ENV_FILE=os.devnull, **GOOD | {"DATABASE_URL": "oracle://me:hunter2@db/acme"})
    assert found.returncode != 0
    assert "ImproperlyConfigured: DATABASE_URL begins with neither postgres:// nor sqlite:///" in found.stderr
    assert "hunter2" not in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({}, "http://localhost:8000/"),
        ({"PORT": 8100}, "http://localhost:8100/"),
        ({"CSRF_TRUSTED_ORIGINS": ["https://*.x.org", "https://cakewalk.x.org"]}, "https://cakewalk.x.org/"),
        (
            {"PUBLIC_URL": "https://x.org/sub/", "CSRF_TRUSTED_ORIGINS": ["https://y.org"]},
            "https://x.org/sub/",
        ),
    ],
)
def test_links_in_messages_begin_where_staff_reach_it(given, begins):
    with override_settings(**{"PORT": 8000, "PUBLIC_URL": "", "CSRF_TRUSTED_ORIGINS": [], **given}):
        assert links.absolute("/jobs/12") == f"{begins}jobs/12"
