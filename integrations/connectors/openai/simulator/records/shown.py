"""The form in which every record is shown. Pure."""

from typing import Any

Json = dict[str, Any]
