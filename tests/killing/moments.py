"""At which moments of a job its worker is killed. The job has eleven actions, one of each kind or more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kill:
    """Before or after the nth such call of the worker. `methods`: calls that send such a request only."""

    when: str
    call: str
    nth: int = 1
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of the story in words, and the kill; or several, each of the worker that took over."""

    step: str
    kills: tuple[Kill, ...]


JOB = "provisioning.models:ProvisioningJob"
ACTION = "provisioning.models:Action"

ACTIONS = {
    1: "invite",
    3: "grant",
    4: "withdraw_invite",
    6: "change_role",
    7: "grant to a group",
    8: "revoke from a group",
    9: "revoke",
    10: "remove",
}
"""Which action of the plan is the first of its kind; the second is an invite, the fifth needs the fourth."""


def written(nth: int) -> Kill:
    return Kill("after", f"{ACTION}.start", nth)


def in_the_air(nth: int) -> Kill:
    """The request is sent, and nobody waits for its answer."""
    return Kill("before", "http.client:HTTPConnection.getresponse", nth, ("POST", "DELETE"))


def answered(nth: int) -> Kill:
    return Kill("before", f"{ACTION}.settle", nth)


def _once(step: str, when: str, call: str, nth: int = 1) -> Moment:
    return Moment(step, (Kill(when, call, nth),))


PLANNING = (
    _once("after the claim", "after", f"{JOB}.claim"),
    _once(
        "in the midst of the read", "before", "integrations.connectors.openai.client:OpenAIClient.list_users"
    ),
    _once("while the plan is stored", "after", "provisioning.storing:store"),
    _once("after the plan is stored", "after", "provisioning.reconciliation:make_plan"),
    _once("before the first action", "before", "provisioning.rechecking:recheck"),
)
APPLYING = tuple(
    Moment(f"{where}: {kind}", (kill(nth),))
    for nth, kind in ACTIONS.items()
    for where, kill in (
        ("between `started` and the call", written),
        ("during the call", in_the_air),
        ("between the reply and the outcome", answered),
    )
)
SWEEPING = (
    _once("before the sweep", "before", "provisioning.sweeping:sweep"),
    _once("while keys are listed", "before", "provisioning.keys:remember"),
    _once("while the list of keys is stored", "after", "provisioning.keys:remember"),
    _once("while the sweep's plan is stored", "after", "provisioning.storing:append"),
    Moment("between `started` and the call: revoke_key", (written(11),)),
    Moment("during the call: revoke_key", (in_the_air(11),)),
    Moment("between the reply and the outcome: revoke_key", (answered(11),)),
    _once("before the sweep is noted", "before", "provisioning.accounts:note_swept"),
)
BETWEEN = (
    _once("between `started` and its entry in the ledger", "before", "provisioning.telling:started"),
    _once("between the outcome and its entry in the ledger", "before", "provisioning.telling:settled"),
    _once("between two actions", "after", f"{ACTION}.settle"),
    _once("between a withdrawal and the invite that needs it", "after", f"{ACTION}.settle", 4),
)
ENDING = (
    _once("after the last action", "after", "provisioning.applying:apply"),
    _once("while looking again", "after", f"{ACTION}.confirm", 3),
    _once("after looking again", "after", "provisioning.applying:verify"),
    _once(
        "while the audit log is asked",
        "before",
        "integrations.connectors.openai.client:OpenAIClient.list_audit_logs",
    ),
    _once("after the audit log has told", "after", "provisioning.corroborating:corroborate"),
    _once("while the end is written", "after", f"{JOB}._leave_nothing_open"),
    _once("between the end and its entry in the ledger", "before", "provisioning.telling:came_to"),
    _once("after the end", "after", f"{JOB}.finish"),
)
TWICE = (
    Moment(
        "during the call, and the next worker before it looks",
        (in_the_air(1), Kill("before", "provisioning.sight:shows_effect")),
    ),
    Moment(
        "between `started` and the call, and the next worker in the same place", (written(10), written(1))
    ),
    Moment(
        "between the reply and the outcome, three workers in a row", (answered(1), answered(2), written(1))
    ),
)
MOMENTS = (*PLANNING, *APPLYING, *BETWEEN, *SWEEPING, *ENDING, *TWICE)
