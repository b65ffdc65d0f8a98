"""`check --deploy` in production settings, and `make audit`."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from cakewalk.deployment import check_deployment
from tests.environment import new_fernet_key
from tests.test_settings import ROOT, run

MAKE = shutil.which("make") or "make"
PRODUCTION = {
    "DJANGO_SECRET_KEY": "a5Zq9!kd8s7fh3jk2lm4n6b7v8c9x0z1Q2W3E4R5T6Y7U8I9O0P",
    "PUBLIC_URL": "https://cakewalk.example.org",
    "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto",
    "TRUSTED_PROXIES": "127.0.0.1",
    "DATABASE_URL": "postgres://cakewalk:secret@127.0.0.1:9/cakewalk",
    "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
    "EMAIL_URL": "smtp+tls://me:secret@mail.example.org:587",
    "LEDGER_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
}


def test_an_installation_for_production_is_clean(tmp_path: Path) -> None:
    mine = tmp_path / "env"
    mine.touch(mode=0o600)
    words = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    found = run(*words, **PRODUCTION, ENV_FILE=str(mine), FERNET_KEYS=new_fernet_key())
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "System check identified no issues (2 silenced).\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"HTTPS": False}, "cakewalk.W010"),
        ({"ALLOWED_HOSTS": ["*"]}, "cakewalk.W011"),
        ({"EMAIL_HOST": "mail.example.org", "EMAIL_USE_TLS": False}, "cakewalk.W012"),
        ({"TRUSTED_PROXIES": []}, "cakewalk.W013"),
        ({"LEDGER_KEY": ""}, "cakewalk.W014"),
        ({"CELERY_BROKER_URL": "memory://"}, "cakewalk.I010"),
        ({"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}}, "cakewalk.I011"),
    ],
    ids=lambda given: given if isinstance(given, str) else next(iter(given)),
)
def test_what_must_not_stay_so_is_told(changed: dict[str, Any], told: str) -> None:
    fine = {
        "HTTPS": True,
        "ALLOWED_HOSTS": ["cakewalk.example.org"],
        "EMAIL_HOST": "127.0.0.1",
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "TRUSTED_PROXIES": ["127.0.0.1"],
        "CELERY_BROKER_URL": "redis://127.0.0.1",
        "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}},
        "LEDGER_KEY": "k",
    }
    with override_settings(**fine):
        assert check_deployment() == []
    with override_settings(**fine | changed):
        assert [message.id for message in check_deployment()] == [told]


def test_an_audit_that_asks_nobody_fails(tmp_path: Path) -> None:
    """As on a machine that does not reach the database of faults, and that kept nothing from before."""
    nowhere = {f"{kind}_PROXY": "http://127.0.0.1:9" for kind in ("HTTP", "HTTPS", "ALL")}
    found = subprocess.run(
        [MAKE, "--old-file", ".venv/development.installed", "audit"],
        cwd=ROOT,
        env=os.environ | nowhere | {"PIP_CACHE_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode != 0
    assert "make audit: failed." in found.stderr
    assert "No known vulnerabilities found" not in found.stdout + found.stderr
