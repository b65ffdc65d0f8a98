"""What was planned again and again for one is one item, and everything that was planned is in one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from provisioning.evidence.items import Line, fold

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def line(id: int, state: str, email: str = "ada@example.org", **more) -> Line:
    names = dict.fromkeys(Line.__dataclass_fields__)
    given = {"id": id, "job": id, "seq": 1, "planned_at": NOON + timedelta(hours=id), "kind": "remove"}
    told = {"situation": "leaver", "state": state, "email": email, "rule": "", "holds": [], "reasons": []}
    return Line(**names | given | told | more)  # type: ignore[arg-type]


def test_plans_up_to_the_one_that_did_it_are_one_item_and_the_next_begins_another() -> None:
    lines = [
        line(1, "failed", known_at=NOON),
        line(2, "refused", "bob@example.org"),
        line(3, "skipped", known_at=NOON + timedelta(hours=1)),
        line(4, "done", confirmed_at=NOON + timedelta(hours=5)),
        line(5, "failed"),
    ]

    items = list(fold((replace(one), "Remove", None) for one in lines))

    assert [(item.name, item.attempts, item.state) for item in items] == [
        ("leaver-1", 3, "done"),
        ("leaver-2", 1, "refused"),
        ("leaver-5", 1, "failed"),
    ]
    assert (items[0].known_at, items[0].took, items[0].jobs) == (NOON, timedelta(hours=5), [1, 3, 4])
    assert sum(item.attempts for item in items) == len(lines)
