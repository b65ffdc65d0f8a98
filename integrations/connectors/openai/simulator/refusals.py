"""What a simulated organization refuses, by how OpenAI would answer it. Pure."""

from collections.abc import Mapping
from typing import ClassVar


class Refused(Exception):
    """The request breaks a rule of the organization."""

    status: ClassVar[int] = 400

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers or {}


class KeyRejected(Refused):
    status = 401


class NotPermitted(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class MethodNotAllowed(Refused):
    status = 405


class TooManyRequests(Refused):
    status = 429
