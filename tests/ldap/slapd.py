"""A real OpenLDAP on this machine: its own instance, in a temporary directory, on a free port."""

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ldap3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.machine import slapd

SUFFIX = "dc=example,dc=org"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "s3cret-of-the-directory"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"

Attributes = Mapping[str, str | Sequence[str]]

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/msuser.schema
modulepath /usr/lib/ldap
moduleload back_mdb
{tls}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}
maxsize 268435456
dbnosync
limits dn.exact="cn=limited,{suffix}" size=700 size.prtotal=700
limits * size=unlimited size.prtotal=unlimited
access to attrs=userPassword by anonymous auth
access to * by * read
"""


@dataclass
class Slapd:
    url: str
    folder: Path

    @contextmanager
    def changing(self) -> Iterator[ldap3.Connection]:
        """Signed in as the one who may write."""
        connection = ldap3.Connection(self.url, ADMIN, PASSWORD, auto_bind=True, raise_exceptions=True)
        yield connection
        connection.unbind()


def ldif(dn: str, attributes: Attributes) -> str:
    lines = [f"dn: {dn}"]
    for name, held in attributes.items():
        lines += [f"{name}: {value}" for value in ([held] if isinstance(held, str) else held)]
    return "\n".join(lines) + "\n\n"


def person(uid: str, **more: str | Sequence[str]) -> str:
    usual = {
        "cn": f"{uid.title()} Example",
        "sn": "Example",
        "uid": uid,
        "mail": f"{uid}@example.org",
        **more,
    }
    held = {name: value for name, value in usual.items() if value}
    return ldif(f"uid={uid},{PEOPLE}", {"objectClass": ["inetOrgPerson", "extensibleObject"], **held})


def group(name: str, members: Sequence[str]) -> str:
    return ldif(f"cn={name},{GROUPS}", {"objectClass": "groupOfNames", "cn": name, "member": members})


def certificate(folder: Path) -> Path:
    """A key and a certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = folder / "server.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption()))
    return file


@contextmanager
def running(folder: Path, seed: Iterable[str], *, certificate: Path | None = None) -> Iterator[Slapd]:
    """Serves what `seed` holds, in LDIF, until the end of the block."""
    data, configuration = folder / "data", folder / "slapd.conf"
    data.mkdir(parents=True)
    tls = f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {certificate}" if certificate else ""
    filled = CONFIGURATION.format(suffix=SUFFIX, admin=ADMIN, password=PASSWORD, folder=data, tls=tls)
    configuration.write_text(filled)
    top = {"objectClass": ["dcObject", "organization"], "o": "Example", "dc": "example"}
    units = [ldif(dn, {"objectClass": "organizationalUnit"}) for dn in (PEOPLE, GROUPS)]
    (folder / "seed.ldif").write_text("".join([ldif(SUFFIX, top), *units, *seed]))
    program = slapd() or "slapd"
    # One program under several names; which one it is, is told by -T.
    filling = [program, "-T", "add", "-q", "-f", str(configuration), "-l", str(folder / "seed.ldif")]
    subprocess.run(filling, check=True, capture_output=True, timeout=60)
    url = f"ldap://localhost:{_free_port()}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, "-h", url, "-f", str(configuration), "-d", "0"], stdout=log, stderr=log
        )
        try:
            _await(server, int(url.rpartition(":")[2]), folder / "log")
            yield Slapd(url, folder)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _await(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"slapd did not start: {log.read_text()}")
