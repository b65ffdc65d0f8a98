"""What deploy/ ships fits together: one command is the same everywhere, and its tools find nothing wrong."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.conftest import need
from tests.rehearsal import units
from tests.rehearsal.production import UNITS

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
HERE = {"/opt/cakewalk/.venv/bin/": "", "/opt/cakewalk/": ""}


def command_of(service: str) -> list[str]:
    found = COMPOSE["services"][service].get("command")
    if found is None:  # the image's own
        found = yaml.safe_load(re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[-1])
    return list(found)


@pytest.mark.parametrize("name", [*UNITS, "migrate"])
def test_a_container_runs_what_its_unit_runs(name: str) -> None:
    assert command_of(name) == units.read(name).words(HERE)


SERVED = """
import os, pathlib, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/long/":
        return lines(pathlib.Path(environ["QUERY_STRING"]))
    return [str(os.getpid()).encode()]

def lines(until):
    yield b"begun"
    while not until.exists():
        time.sleep(0.05)
        yield b"."
    yield b"ended"
"""


@contextmanager
def served(folder: Path, *args: str) -> Iterator[str]:
    """By gunicorn as it is shipped, with an application that tells which process answers."""
    (folder / "served.py").write_text(SERVED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ["-m", "gunicorn", "--config", str(DEPLOY / "gunicorn.py"), "--bind", address, *args]
    with subprocess.Popen([sys.executable, *words, "served:application"], cwd=folder) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def who_answers(url: str) -> str:
    """Asked again until the server has started."""
    for _ in range(200):
        with suppress(requests.ConnectionError):
            return requests.get(url, headers={"Connection": "close"}, timeout=5).text
        time.sleep(0.05)
    raise AssertionError("The server has not started.")


def test_a_web_server_that_has_answered_often_is_replaced_when_it_has_nothing_in_hand(tmp_path: Path) -> None:
    """gunicorn by itself would take no new requests at that moment, and cut off what lasts too long."""
    short = ["--workers", "1", "--max-requests", "5", "--max-requests-jitter", "0"]
    with served(tmp_path, *short, "--graceful-timeout", "1", "--timeout", "2") as url:
        first, until = who_answers(url), tmp_path / "until"
        with requests.get(f"{url}/long/?{until}", stream=True, timeout=5) as export:
            pieces = export.iter_content(None)
            begun = next(pieces)
            meanwhile = {who_answers(url) for _ in range(4)}
            until.touch()
            whole = begun + b"".join(pieces)
        assert (whole[:5], whole[-5:], meanwhile) == (b"begun", b"ended", {first})
        assert {who_answers(url) for _ in range(3)} - {first}


@pytest.mark.parametrize("name", UNITS)
def test_a_container_is_given_as_long_to_stop_as_its_unit(name: str) -> None:
    assert COMPOSE["services"][name]["stop_grace_period"] == f"{units.read(name).stop_seconds:.0f}s"


def test_containers_and_units_are_handed_the_same_secrets_and_each_is_written() -> None:
    handed = set(units.read("web").credentials)
    assert set(COMPOSE["services"]["web"]["secrets"]) == handed
    written = set(re.findall(r'folder / "(\w+)"', (DEPLOY / "write_secrets.py").read_text()))
    assert set(COMPOSE["secrets"]) == written == handed | {"postgres_password"}
    for name in ("web", "migrate", "worker"):
        files = {
            path for _, path in COMPOSE["services"][name]["environment"].items() if "/run/secrets/" in path
        }
        assert files == {f"/run/secrets/{secret}" for secret in handed}


def test_no_container_may_write_to_its_root_or_has_a_capability_or_an_open_port_but_nginx() -> None:
    for name, service in COMPOSE["services"].items():
        hardened = service["read_only"], service["cap_drop"], service["security_opt"]
        assert hardened == (True, ["ALL"], ["no-new-privileges:true"]), name
        assert ("ports" in service) == (name == "nginx"), name
        assert service["deploy"]["resources"]["limits"]["memory"], name
    assert COMPOSE["networks"]["inside"]["internal"]
    assert COMPOSE["services"]["postgres"]["networks"] == ["inside"]


def test_the_image_runs_as_a_number_and_holds_no_secret() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert "require-hashes" in DOCKERFILE
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"  # whatever is not named stays out
    assert not {line for line in ignored if re.match(r"!.*(env|secret|var|tests)", line)}


def test_the_proxy_replaces_what_clients_say_of_themselves_and_sends_nothing_twice() -> None:
    said = (DEPLOY / "nginx" / "cakewalk.conf").read_text()
    assert "proxy_next_upstream off;" in said
    for header in (
        "Host $host",
        "X-Forwarded-For $remote_addr",
        "X-Forwarded-Proto https",
        "X-Request-ID $request_id",
    ):
        assert f"proxy_set_header {header};" in said


def test_secrets_that_are_there_are_kept(tmp_path: Path) -> None:
    words = [sys.executable, str(DEPLOY / "write_secrets.py"), str(tmp_path / "secrets")]
    for _ in range(2):
        subprocess.run(words, check=True, capture_output=True)
        first = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(words, check=True, capture_output=True)
    assert first == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """With the programs where this machine has them."""
    analyze = shutil.which("systemd-analyze")
    need(None if analyze else "needs systemd-analyze, and there is none on this machine")
    shutil.copytree(units.UNITS, tmp_path / "units")
    for path in (tmp_path / "units").glob("*.service"):
        path.write_text(path.read_text().replace("/opt/cakewalk/.venv/bin", str(Path(sys.executable).parent)))
    names = sorted(str(path) for path in (tmp_path / "units").glob("cakewalk*.*") if path.is_file())
    done = subprocess.run(
        [str(analyze), "verify", "--man=no", *[name for name in names if not name.endswith(".env")]],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}/units:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_docker_client_finds_nothing_wrong_with_the_compose_file() -> None:
    compose = shutil.which("docker-compose")
    need(None if compose else "needs docker-compose, and there is none on this machine")
    words = [str(compose), "--file", str(DEPLOY / "docker" / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
