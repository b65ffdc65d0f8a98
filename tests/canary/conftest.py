"""The company of the tests of pages, and who looks at it."""

from tests.admin.conftest import clients, company

__all__ = ["clients", "company"]
