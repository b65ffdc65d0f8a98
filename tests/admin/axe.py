"""What axe, the accessibility checker, finds on a page: WCAG 2 at A and AA, and its best practices."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

EXCEPTIONS = {
    # select2 puts the button that empties the field among the list of what is chosen; its markup is its own.
    ("list", ".select2-selection__rendered"),
}
"""A rule, and the place where it does not count. docs/accessibility.md tells of each."""

RUN = """
async (rules) => {
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false, ...only});
  return {
    passed: found.passes.map((rule) => rule.id),
    broken: found.violations.flatMap((rule) => rule.nodes.map((node) => ({
      rule: rule.id, target: node.target.flat().join(" "), html: node.html, why: node.failureSummary,
    }))),
  };
}
"""


def look(page: Page, *rules: str) -> tuple[set[str], list[str]]:
    """The rules that the page passes, of all or of these, and a line for each place that breaks one."""
    page.wait_for_function("!document.querySelector('[aria-busy=true]')")  # what is paler while it is fetched
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN, list(rules))
    return set(found["passed"]), [_line(place) for place in found["broken"] if not _excepted(place)]


def _excepted(place: dict[str, Any]) -> bool:
    return any(place["rule"] == rule and where in place["target"] for rule, where in EXCEPTIONS)


def _line(place: dict[str, Any]) -> str:
    why = " ".join(place["why"].split()[:40])
    return f"{place['rule']} at {place['target']}: {place['html'][:160]} ({why})"
