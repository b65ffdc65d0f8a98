"""An installation as in production: its own PostgreSQL and Redis, nginx with TLS, and the shipped units."""

import datetime
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.rehearsal import units
from tests.rehearsal.pieces import Piece, Recipe
from tests.stack.installation import ROOT, Installation, eventually, free_port, rows

UNITS = ("web", "worker", "worker-people", "beat")
NGINX = """\
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/temp-body;
    proxy_temp_path {folder}/temp-proxy;
    fastcgi_temp_path {folder}/temp-fastcgi;
    uwsgi_temp_path {folder}/temp-uwsgi;
    scgi_temp_path {folder}/temp-scgi;
    include {folder}/cakewalk-upstream.conf;
    include {folder}/cakewalk.conf;
}}
"""


def missing() -> str | None:
    """What the rehearsal needs and this machine does not have."""
    programs = {"nginx": _program("nginx"), "Redis": _program("redis-server"), "PostgreSQL": _postgresql()}
    lacking = [name for name, found in programs.items() if not found]
    return f"needs {' and '.join(lacking)} on this machine" if lacking else None


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join(["/usr/sbin", "/usr/local/sbin", os.environ["PATH"]]))


def _postgresql() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Production(Installation):
    """`pieces`: what runs, by name. Everything that a piece prints goes to NAME.log."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # PostgreSQL, which refuses to be root, passes through
        super().__init__(folder)
        (folder / ".env").unlink()
        self.ports = {name: free_port() for name in ("postgres", "redis", "https", "http")}
        self.pieces: dict[str, Piece] = {}
        self.certificate = folder / "tls" / "fullchain.pem"
        self._write_settings()
        self._write_certificate()
        self._write_nginx()
        environment = units.read("migrate").environment(self._places("migrate"))
        self._environment = self._environment | environment

    # -- files

    def _places(self, unit: str) -> dict[str, str]:
        """Where things are here that the units have in /opt, /etc and /var."""
        return {
            "/opt/cakewalk/.venv/bin": str(Path(sys.executable).parent),
            "/opt/cakewalk": str(self.folder),
            "/etc/cakewalk": str(self.folder / "etc"),
            "%d": str(self.folder / "credentials" / unit),
            "%S": str(self.folder / "state"),
        }

    def _write_settings(self) -> None:
        secrets = self.folder / "etc" / "secrets"
        words = (
            "--postgres",
            f"127.0.0.1:{self.ports['postgres']}",
            "--redis",
            f"redis://127.0.0.1:{self.ports['redis']}/0",
        )
        writer = [sys.executable, "deploy/write_secrets.py", str(secrets), *words]
        subprocess.run(writer, cwd=self.folder, check=True, stderr=subprocess.DEVNULL)
        shipped = (units.UNITS / "cakewalk.env").read_text()
        changed = shipped.replace("https://cakewalk.example.org", self.url)
        more = f"CONNECTOR_ALLOWED_HOSTS=127.0.0.1\nGUNICORN_CMD_ARGS=--bind 127.0.0.1:{self.port}\n"
        (self.folder / "etc" / "cakewalk.env").write_text(changed + more)
        (self.folder / "state" / "cakewalk").mkdir(parents=True)
        for unit in (*UNITS, "migrate"):
            self._hand_out(unit)

    def _hand_out(self, unit: str) -> None:
        """LoadCredential: a copy of each secret for each unit."""
        folder = self.folder / "credentials" / unit
        folder.mkdir(parents=True, mode=0o700)
        for name, path in units.read(unit).credentials.items():
            shutil.copy(units.placed(path, self._places(unit)), folder / name)

    def _write_certificate(self) -> None:
        folder = self.certificate.parent
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / "key.pem").write_bytes(private)

    def _write_nginx(self) -> None:
        """The shipped example with the names, ports and places of this one."""
        folder, shipped = self.folder, ROOT / "deploy" / "nginx"
        text = (shipped / "cakewalk.conf").read_text()
        for line, here in (
            (r"listen 80;", f"listen 127.0.0.1:{self.ports['http']};"),
            (r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.ports['https']} ssl http2;"),
            (r"listen \[::\]:\d+.*;", ""),
            (r"cakewalk\.example\.org", "localhost"),
            (r"/etc/ssl/cakewalk", str(self.certificate.parent)),
            (r"/var/log/nginx", str(folder)),
            (r"return 301 https://\$host", f"return 301 https://$host:{self.ports['https']}"),
        ):
            text, times = re.subn(line, here, text)
            assert times, f"The shipped nginx example has no {line!r} any more."
        (folder / "cakewalk.conf").write_text(text)
        upstream = (shipped / "cakewalk-upstream.conf").read_text()
        (folder / "cakewalk-upstream.conf").write_text(upstream.replace(":8000", f":{self.port}"))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user))

    # -- processes

    @property
    def url(self) -> str:
        return f"https://localhost:{self.ports['https']}" if hasattr(self, "ports") else ""

    @property
    def database_url(self) -> str:
        return (self.folder / "etc" / "secrets" / "database_url").read_text()

    def start(self) -> None:
        self._make_cluster()
        self._run(self._postgres())
        self._run(self._redis())
        eventually(self._database_answers, 30, "PostgreSQL")
        self._make_database()
        self.run(*self._after_python("migrate"), seconds=180)
        self.password = self.run("new_password", "admin", "--create").strip()
        for name in UNITS:
            self._run(self._of_unit(name))
        self._run(self._nginx())
        self.pieces["web"].wait_until_ready()
        eventually(self.answers, 60, "The web server")

    def _after_python(self, unit: str) -> list[str]:
        """The words of a unit that runs manage.py."""
        words = units.read(unit).words(self._places(unit))
        return words[words.index("manage.py") + 1 :]

    def _run(self, recipe: Recipe) -> None:
        self.pieces[recipe.name] = Piece(recipe, self.folder / f"{recipe.name}.log").start()

    def _of_unit(self, name: str) -> Recipe:
        unit, places = units.read(name), self._places(name)
        assert unit.restart_seconds is not None, f"cakewalk-{name} is not started again"
        assert unit.kills_children, f"cakewalk-{name} leaves its children behind"
        basic = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return Recipe(
            name,
            unit.words(places),
            basic | unit.environment(places),
            self.folder,
            restart_seconds=unit.restart_seconds,
            stop_seconds=unit.stop_seconds,
            notifies=unit.notifies,
        )

    def _nginx(self) -> Recipe:
        words = [str(_program("nginx")), "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        return Recipe("nginx", [*words, "-g", "daemon off;"], {}, self.folder, stop_signal=3)  # SIGQUIT

    def _redis(self) -> Recipe:
        words = [str(_program("redis-server")), "--port", str(self.ports["redis"]), "--bind", "127.0.0.1"]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        return Recipe("redis", [*words, *nothing_kept], {}, self.folder)

    def _postgres(self) -> Recipe:
        binary, data = _postgresql(), self.folder / "cluster" / "data"
        words = [f"{binary}/postgres", "-D", str(data), "-p", str(self.ports["postgres"])]
        where = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data.parent}"]
        return Recipe("postgres", [*words, *where], {}, data.parent, stop_signal=2, user="postgres")  # fast

    def _make_cluster(self) -> None:
        cluster = self.folder / "cluster"
        cluster.mkdir()
        password = cluster / "password"
        password.write_text("the first user of this cluster")
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(cluster, "postgres", "postgres")
            shutil.chown(password, "postgres", "postgres")
            as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        words = [f"{_postgresql()}/initdb", "-D", str(cluster / "data"), "-U", "postgres"]
        words += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=cluster, **as_user)

    @property
    def server_url(self) -> str:
        return f"postgres://postgres:the%20first%20user%20of%20this%20cluster@127.0.0.1:{self.ports['postgres']}/postgres"

    def _database_answers(self) -> bool:
        try:
            psycopg.connect(self.server_url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def _make_database(self) -> None:
        password = (self.folder / "etc" / "secrets" / "postgres_password").read_text()
        with psycopg.connect(self.server_url, autocommit=True) as server:
            server.execute(f"CREATE ROLE cakewalk LOGIN PASSWORD '{password}'".encode())
            server.execute(b"CREATE DATABASE cakewalk OWNER cakewalk")

    def stop(self) -> None:
        for name in reversed(list(self.pieces)):
            self.pieces[name].stop()
        super().stop()

    # -- asking

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.database_url, query)

    def browser(self) -> requests.Session:
        """Trusts this installation's certificate, and nobody else's."""
        session = requests.Session()
        session.verify = str(self.certificate)
        session.trust_env = False
        return session

    def answers(self) -> bool:
        try:
            return self.browser().get(f"{self.url}/admin/login/", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def seconds_until(holds: Callable[[], Any], limit: float, every: float = 0.1) -> float | None:
    """How long it took; None where it did not come to be."""
    began = time.monotonic()
    while time.monotonic() - began < limit:
        if holds():
            return time.monotonic() - began
        time.sleep(every)
    return None
