"""The page about OpenAI names every endpoint that is called there, and no other."""

import re
from pathlib import Path

from integrations.connectors.openai.client import OpenAIClient
from tests.openai.test_conformance import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "integrations" / "openai.md"


def test_the_page_has_each_endpoint_of_the_client_once() -> None:
    section = PAGE.read_text("utf-8").split("## Every endpoint")[1].split("\n## ")[0]
    first_cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    named = [tuple(told.split()) for cell in first_cells for told in re.findall("`([^`]+)`", cell)]
    assert sorted(named) == sorted(OPERATIONS.values())


def test_each_endpoint_has_its_method_in_the_client() -> None:
    calls = {name for name in vars(OpenAIClient) if not name.startswith("_")} - {
        "peek",
        "one_look",
        "side_by_side",
    }
    assert calls == set(OPERATIONS)
