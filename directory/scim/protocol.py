"""SCIM as it is really sent: the library's service, and what Microsoft Entra ID writes besides."""

import logging
from typing import Any, TypeVar

from pydantic import ValidationError
from scim2_models import BaseModel, Context, Error, SCIMException
from scim2_server.service import ScimService, scim_exception_of

log = logging.getLogger(__name__)
Model = TypeVar("Model", bound=BaseModel)

ENTRA_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
"""Sent with every new group, and says nothing."""


class Service(ScimService):
    def read_body(
        self, model: type[Model], body: bytes, content_type: str | None, scim_ctx: Context
    ) -> Model:
        payload = as_meant(self.decode_body(body, content_type))
        try:
            return model.model_validate(payload, scim_ctx=scim_ctx)
        except ValidationError as exception:
            raise scim_exception_of(exception) from exception

    @staticmethod
    def error_of(exception: Exception) -> Error:
        if not isinstance(exception, SCIMException):
            log.error("A SCIM operation failed", exc_info=exception)
        return ScimService.error_of(exception)


def as_meant(payload: Any) -> Any:
    """The payload without what says nothing, and with a manager's id where a manager belongs."""
    match payload:
        case {"Operations": [*operations]}:
            return {**payload, "Operations": [_operation(operation) for operation in operations]}
        case {"schemas": [*schemas]} if ENTRA_GROUP in schemas:
            return {**payload, "schemas": [schema for schema in schemas if schema != ENTRA_GROUP]}
    return payload


def _operation(operation: Any) -> Any:
    match operation:
        case {"path": str(path), "value": str(value)} if path.lower().endswith(":user:manager"):
            return {**operation, "value": {"value": value}}
        case {"path": "members", "value": [*members]}:
            return {**operation, "value": [_member(member) for member in members]}
        case {"value": {"members": [*members]} as value}:
            return {**operation, "value": {**value, "members": [_member(member) for member in members]}}
        case {"data": data}:
            return {**operation, "data": as_meant(data)}
    return operation


def _member(member: Any) -> Any:
    """Okta sends a member's name along. It is ours to say, and in a PATCH the library would refuse it."""
    if not isinstance(member, dict):
        return member
    return {name: value for name, value in member.items() if name != "display"}
