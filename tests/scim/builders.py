"""A SCIM client as an identity provider has one, signed in to a source."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from directory.models import Source

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


class Answer:
    """A response, read."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.body: Any = json.loads(response.content) if response.content else None

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class ScimClient:
    """Sends JSON as the client of a source, made where there is none."""

    def __init__(self, source: str = "okta", media_type: str = "application/scim+json") -> None:
        self.source, _ = Source.objects.get_or_create(name=source, defaults={"kind": Source.Kind.SCIM})
        self.token = self.source.issue_token(now=timezone.now())
        self.media_type = media_type

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        content = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        sent = {"Authorization": f"Bearer {self.token}", "Accept": self.media_type, **headers}
        return Answer(
            Client().generic(method, f"/scim/v2{path}", content, content_type=self.media_type, headers=sent)
        )

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self("PUT", path, body, **headers)

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> Answer:
        return self("PATCH", path, {"schemas": [PATCH], "Operations": operations}, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)

    def user(self, user_name: str = "ada@example.org", **attributes: Any) -> Answer:
        made = self.post("/Users", {"schemas": [USER], "userName": user_name, **attributes})
        assert made.status == 201, made.body
        return made

    def group(self, name: str = "Engineering", *members: str) -> Answer:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": id} for id in members]}
        made = self.post("/Groups", body)
        assert made.status == 201, made.body
        return made
