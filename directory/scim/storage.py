"""The library's storage over the directory: which rows, in which order, in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError
from scim2_models import Resource, ResourceType, ResponseParameters, SearchRequest, UniquenessException
from scim2_server.storage import ScimStorage, SearchPage

from cakewalk.ledger.recording import together
from directory.scim.groups import Groups
from directory.scim.queries import narrow
from directory.scim.schemas import GROUP, USER
from directory.scim.session import Session
from directory.scim.users import Users


class DirectoryStorage(ScimStorage):
    def __init__(self, session: Session) -> None:
        self.session = session
        self.kinds: dict[str | None, Any] = {USER.name: Users(session), GROUP.name: Groups(session)}

    @contextmanager
    def operation(self) -> Iterator[None]:
        changed = set(self.session.changed)
        try:
            with together():
                yield
        except Exception as error:
            self.session.changed = changed
            if isinstance(error, IntegrityError):  # another source wrote the same just now
                raise UniquenessException(detail="It was taken by somebody else just now.") from error
            raise

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        found: Resource[Any] = self.kinds[resource_type.name].get(resource_id, response_parameters)
        return found

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        kinds = [self.kinds[resource_type.name] for resource_type in resource_types]
        tree = search_request.filter.ast if search_request.filter else None
        start, count = search_request.start_index_0 or 0, search_request.count
        end = None if count is None else start + count
        if len(kinds) == 1 and not search_request.sort_by:
            kind = kinds[0]
            narrowed = narrow(tree, kind.lookups)
            if narrowed.exact:
                records = kind.records().filter(narrowed.condition)
                total = records.count()
                page = records[start:end] if start < total and count != 0 else []
                return SearchPage(total, kind.shown(page, search_request))
        found = self._found(kinds, search_request)
        return SearchPage(len(found), found[start:end])

    def _found(self, kinds: list[Any], request: SearchRequest[Any]) -> list[Resource[Any]]:
        """Everything that matches, in order. What the database could not answer is looked at one by one."""
        tree = request.filter.ast if request.filter else None
        found = [
            resource
            for kind in kinds
            for resource in kind.shown(kind.records().filter(narrow(tree, kind.lookups).condition).distinct())
            if request.filter is None or request.filter.match(resource)
        ]
        if request.sort_by:
            found.sort(
                key=lambda resource: _sort_key(request.sort_value(resource)),
                reverse=request.sort_order == SearchRequest.SortOrder.descending,
            )
        return found

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        made: Resource[Any] = self.kinds[resource_type.name].create(resource)
        return made

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        updated: Resource[Any] = self.kinds[resource_type.name].update(resource, expected_version)
        return updated

    def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        self.kinds[resource_type.name].delete(resource_id, expected_version)


def _sort_key(value: Any) -> tuple[bool, Any]:
    """What has no value comes last (RFC 7644, 3.4.2.3)."""
    return value is None, "" if value is None else value
