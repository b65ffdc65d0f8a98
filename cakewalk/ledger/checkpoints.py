"""Signed statements of where the chain stood. One that is kept elsewhere shows what a database cannot: that
its newest entries are gone, that an older state was restored, or that the whole chain was written anew.

A checkpoint is a JSON file: what is stated, the Ed25519 signature (RFC 8032) over `statement()` and the
public key that it is to be checked with, both in base64. A key is believed because somebody says so, not
because it stands in the file.
"""

import base64
import fnmatch
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cakewalk.ledger.chain import Link, moment

KEY_BYTES = 32
KEPT = "checkpoint-*.json"
STATED = ("installation", "seq", "hash", "at")


class Unreadable(Exception):
    """A file that is no checkpoint. Says which, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    installation: str
    seq: int
    hash: str
    at: str
    public_key: str
    signature: str

    @property
    def link(self) -> Link:
        return Link(self.seq, self.hash)

    def statement(self) -> bytes:
        return _statement(self.installation, self.link, self.at)

    def is_signed_by(self, keys: Collection[str]) -> bool:
        if self.public_key not in keys:
            return False
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public_key))
            key.verify(base64.b64decode(self.signature), self.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def as_text(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def new_key() -> str:
    """A private key, in base64."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode("ascii")


def public_key(private: str) -> str:
    return _text(_private(private).public_key().public_bytes_raw())


def sign(private: str, installation: str, link: Link, at: datetime) -> Checkpoint:
    stated = moment(at)
    signature = _private(private).sign(_statement(installation, link, stated))
    return Checkpoint(installation, *link, stated, public_key(private), _text(signature))


def read(path: Path) -> Checkpoint:
    """Raises Unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Checkpoint(
            installation=str(found["installation"]),
            seq=int(found["seq"]),
            hash=str(found["hash"]),
            at=str(found["at"]),
            public_key=str(found["public_key"]),
            signature=str(found["signature"]),
        )
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path} is no checkpoint: a JSON object with {', '.join(STATED)}.") from error


def kept_in(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob(KEPT)))


def newest_in(folder: Path) -> Path | None:
    """The last of those: each job asks, and sorting ten thousand takes longer than all else that it asks."""
    names = [entry.name for entry in os.scandir(folder)] if folder.is_dir() else []
    newest = max(fnmatch.filter(names, KEPT), default=None)
    return folder / newest if newest else None


def path_of(checkpoint: Checkpoint, folder: Path) -> Path:
    return folder / f"checkpoint-{checkpoint.seq:012}.json"


def keep(checkpoint: Checkpoint, folder: Path) -> Path:
    """Complete or not at all: a half-written one would later look like tampering."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(checkpoint, folder)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(checkpoint.as_text(), encoding="utf-8")
    unfinished.replace(path)
    return path


def _statement(installation: str, link: Link, at: str) -> bytes:
    stated = dict(zip(STATED, (installation, link.seq, link.hash, at), strict=True))
    return json.dumps(stated, sort_keys=True, separators=(",", ":")).encode("ascii")


def _private(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
