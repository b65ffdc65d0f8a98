"""`make canary`: the report. Status 1 if anything was found in clear."""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests import environment, safety_page

environment.prepare()

import django  # noqa: E402

django.setup()

from tests.canary import life, places, planting  # noqa: E402
from tests.machine import Services  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "secrets.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the report into docs/secrets.md")
    options = parser.parse_args()
    if missing := Services.from_environment().missing():
        print(f"make canary {missing}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        (inner := Path(folder) / "installation").mkdir()
        with life.begun(inner) as lived:
            found = places.read(lived)
            kept = places.encrypted(lived)
            with planting.leaking(lived):
                deaf = [place.name for place in places.read(lived, again=True) if not place.found]
    report = table(found)
    print(f"{report}\n\n{sentence(lived, kept)}\n\n{time.monotonic() - began:.0f} s")
    for place in found:
        for one in place.found:
            print(f"IN CLEAR: {one.canary}, {one.form}, in {one.place}, after {one.around!r}")
    for name, where in kept.items():
        print(f"{'encrypted' if where else 'NOT STORED'}: {name}: {', '.join(sorted(set(where)))}")
    for name in deaf:
        print(f"A LEAK ON PURPOSE WAS NOT FOUND: {name}")
    failed = bool(deaf) or any(place.found for place in found) or not all(kept.values())
    if options.write and not failed:
        now = datetime.now(UTC)
        seen = f"As of {now:%Y-%m-%d}:\n\n{report}\n\n{sentence(lived, kept)}"
        safety_page.write("canary", seen, PAGE)
    return int(failed)


def table(found: list[places.Place]) -> str:
    lines = ["| place | read | secrets in clear |", "|---|---|---|"]
    for place in found:
        seen = len({one.canary for one in place.found}) or "none"
        design = f", but for {', '.join(sorted(place.by_design))}" if place.by_design else ""
        lines.append(f"| {place.name} | {place.items} of {place.size / 1000:,.0f} kB | {seen}{design} |")
    return "\n".join(lines)


def sentence(lived: life.Life, kept: dict[str, list[str]]) -> str:
    stored = sum(map(bool, kept.values()))
    return (
        f"{len(lived.canaries)} secrets were planted, and searched for as they are, URL-encoded, escaped for "
        "HTML and JSON, in base64, in hex and backwards, each by any twelve characters in a row. "
        f"{stored} of {len(kept)} that are kept for use were found where they belong: encrypted, each in its "
        "column. Then one more was put into each of these places on purpose, in clear, and found in all."
    )


if __name__ == "__main__":
    sys.exit(main())
