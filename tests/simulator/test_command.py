"""`simulate openai` as its users start and stop it."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import execute_from_command_line
from openai import OpenAI, PermissionDeniedError

ROOT = Path(__file__).parents[2]


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "manage.py", "simulate", "openai", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


Refusal = Callable[..., str]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What manage.py says as it ends, without the second that its start takes."""

    def refused(*arguments: str, status: int = 1) -> str:
        with pytest.raises(SystemExit) as ended:
            execute_from_command_line(["manage.py", "simulate", *arguments])
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (status, "")
        return said.err

    return refused


def members(announced: dict[str, str]) -> list[str | None]:
    with OpenAI(admin_api_key=announced["admin_key"], base_url=announced["base_url"]) as client:
        return [user.email for user in client.admin.organization.users.list()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_itself_serves_and_ends_well(number):
    with simulating("--people", "30", "--projects", "2", "--seed", "5") as (process, announced):
        assert set(announced) == {"base_url", "admin_key", "project_key"}
        assert len(members(announced)) == 30
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_a_state_file_brings_the_same_organization_and_key_back(tmp_path):
    arguments = ("--people", "3", "--state", str(tmp_path / "state.json"))
    with simulating(*arguments) as (_, first):
        before = members(first)
    with simulating(*arguments) as (_, second):
        assert second["admin_key"] == first["admin_key"]
        assert members(second) == before


def test_a_fault_file_takes_effect(tmp_path):
    (tmp_path / "faults.json").write_text('[{"kind": "empty", "path": "/organization/users"}]')
    with simulating("--people", "3", "--faults", str(tmp_path / "faults.json")) as (_, announced):
        assert members(announced) == []
        assert len(members(announced)) == 3


def test_switches_choose_how_the_organization_behaves(tmp_path):
    arguments = ("--switch", "audit_logging=no", "--switch", "mislabels_project_keys=yes")
    with (
        simulating("--people", "3", "--state", str(tmp_path / "state.json"), *arguments) as (_, announced),
        OpenAI(admin_api_key=announced["admin_key"], base_url=announced["base_url"]) as client,
    ):
        assert len(client.admin.organization.admin_api_keys.list().data) == 3
        with pytest.raises(PermissionDeniedError, match="Audit logging is not enabled"):
            client.admin.organization.audit_logs.list()


def test_a_busy_port_is_said_in_one_line(refusal: Refusal):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        [line] = refusal("openai", "--port", str(port)).splitlines()
    assert f"port {port} cannot be used (Address already in use)" in line


def test_a_bad_file_is_said_in_one_line(refusal: Refusal, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('[{"kind": "boredom"}]')
    [of_faults] = refusal("openai", "--faults", str(bad)).splitlines()
    assert f"{bad}, entry 1: there is no kind 'boredom'" in of_faults
    [of_a_state] = refusal("openai", "--state", str(bad)).splitlines()
    assert f"{bad} is not a simulator's state file" in of_a_state


def test_an_unknown_connector_is_answered_with_those_there_are(refusal: Refusal):
    assert "invalid choice: 'nothing' (choose from 'openai')" in refusal("nothing", status=2)
