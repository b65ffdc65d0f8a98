from tests.provisioning.conftest import world

__all__ = ["world"]
