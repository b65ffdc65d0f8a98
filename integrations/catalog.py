"""The connectors that exist, found by folder: each one under `connectors/` offers `connector.CONNECTOR`."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from integrations import connectors
from integrations.connectors.base import Connector


@functools.cache
def connector_classes() -> Mapping[str, type[Connector]]:
    """Connector classes by kind, which is the folder's name."""
    folders = (module.name for module in pkgutil.iter_modules(connectors.__path__) if module.ispkg)
    return {
        kind: importlib.import_module(f"{connectors.__name__}.{kind}.connector").CONNECTOR
        for kind in sorted(folders)
    }


def connector_class(kind: str) -> type[Connector]:
    """Raises LookupError, naming the kinds there are, for one that is not installed."""
    try:
        return connector_classes()[kind]
    except KeyError:
        known = ", ".join(connector_classes())
        raise LookupError(f"No connector of kind {kind!r}. There are: {known}.") from None
