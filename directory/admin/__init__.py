"""Staff pages of the directory: people and their import, groups, sources, LDAP servers, conflicts."""

from directory.admin.conflicts import ConflictAdmin
from directory.admin.groups import GroupAdmin
from directory.admin.ldap import LdapServerAdmin
from directory.admin.people import PersonAdmin
from directory.admin.sources import SourceAdmin

__all__ = ["ConflictAdmin", "GroupAdmin", "LdapServerAdmin", "PersonAdmin", "SourceAdmin"]
