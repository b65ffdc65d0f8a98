"""What a SCIM client may write and ask for here, as published under /Schemas and /ServiceProviderConfig.

The models are those of RFC 7643, with four differences. An e-mail's value is kept as it was written, where
the library's would change the case of its domain. The reference of a manager is not required, because
nobody sends it. A group's name is unique, since access rules hang on it, and its members are shown under
the names that they have.
"""

from typing import Annotated

import scim2_models as rfc
from pydantic import Field
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ETag,
    Filter,
    Mutability,
    Patch,
    Reference,
    Required,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models.resources.enterprise_user import Manager as RfcManager
from scim2_models.resources.group import GroupMember as RfcMember
from scim2_models.resources.resource import AnyExtension
from scim2_models.resources.user import Email as RfcEmail

LARGEST_PAGE = 500
MOST_BULK_OPERATIONS = 1000
LARGEST_BODY = 1024 * 1024


class Email(RfcEmail):
    value: str | None = None


class User(rfc.User[AnyExtension]):
    emails: list[Email] | None = None  # type: ignore[assignment]


class Manager(RfcManager):
    value: Annotated[str | None, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Required.false] = Field(  # type: ignore[assignment, type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class EnterpriseUser(rfc.EnterpriseUser):
    manager: Manager | None = None


class GroupMember(RfcMember):
    display: Annotated[str | None, Mutability.read_only] = None


class Group(rfc.Group):
    display_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    members: list[GroupMember] | None = None  # type: ignore[assignment]


USER = ResourceType.from_resource(User[EnterpriseUser])
GROUP = ResourceType.from_resource(Group)

CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=True, max_operations=MOST_BULK_OPERATIONS, max_payload_size=LARGEST_BODY),
    filter=Filter(supported=True, max_results=LARGEST_PAGE),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="The token of the source, as scim_source printed it.",
            primary=True,
        )
    ],
)

POLICY = ScimPolicy(
    # As Microsoft Entra sends them: what to remove in the value, and a write to an e-mail that is not there.
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)

PROVIDER = ScimProvider([User, EnterpriseUser, Group], [USER, GROUP], CONFIG, POLICY)
