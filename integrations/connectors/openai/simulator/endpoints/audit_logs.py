"""The audit log, the newest event first; in which order OpenAI has them is not known."""

from collections.abc import Callable, Iterator

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import endpoint
from integrations.connectors.openai.simulator.listing import Listing, style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Event, Json
from integrations.connectors.openai.simulator.refusals import NotPermitted, Refused

Filter = Callable[[Event], bool]


@endpoint("GET", "/organization/audit_logs")
def list_audit_logs(organization: Organization, asked: Asked) -> Json:
    """How OpenAI answers where the log was never switched on is not known; here it refuses."""
    if not organization.behaviour.audit_logging:
        raise NotPermitted(
            "Audit logging is not enabled for this organization. "
            "An owner can enable it in the organization's data controls."
        )
    filters = [*_filters(asked), *_time_filters(asked)]
    wanted = (
        event for event in reversed(organization.events.values()) if all(fits(event) for fits in filters)
    )
    page = Listing(wanted, lambda event: event.id).page(asked.window())
    return style_a(page, [event.shown() for event in page.rows])


def _filters(asked: Asked) -> Iterator[Filter]:
    tenant = asked.choice("tenant_only", ("true", "false"), "false") == "true"
    yield lambda event: event.is_of_tenant == tenant
    if types := set(asked.values("event_types")):
        foreign = sorted(kind for kind in types if tenant and not kind.startswith("tenant."))
        if foreign:
            raise Refused(f"With 'tenant_only', '{foreign[0]}' is no event.", param="event_types")
        yield lambda event: event.type in types
    if projects := set(asked.values("project_ids")):
        yield lambda event: event.project is not None and event.project["id"] in projects
    if actors := set(asked.values("actor_ids")):
        yield lambda event: bool(event.actor_ids & actors)
    if emails := {email.casefold() for email in asked.values("actor_emails")}:
        yield lambda event: event.actor_email in emails
    if resources := set(asked.values("resource_ids")):
        yield lambda event: bool(event.resource_ids & resources)


def _time_filters(asked: Asked) -> Iterator[Filter]:
    gt, gte, lt, lte = (asked.number(f"effective_at[{bound}]") for bound in ("gt", "gte", "lt", "lte"))
    yield lambda event: gt is None or event.effective_at > gt
    yield lambda event: gte is None or event.effective_at >= gte
    yield lambda event: lt is None or event.effective_at < lt
    yield lambda event: lte is None or event.effective_at <= lte
