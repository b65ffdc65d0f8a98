"""The company of the admin's tests, for pages that need one."""

from tests.admin.conftest import clients, company

__all__ = ["clients", "company"]
