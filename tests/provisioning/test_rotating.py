"""Replacing the key through OpenAI: the old one works until the new one does, and nothing is left behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from integrations.connecting import Entry, save_and_enable
from integrations.connectors.http import Request, Transport
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.connectors.openai.simulator.records import AdminKey
from integrations.models import Credential, Rotation
from provisioning import credentials, rotating, standing, tasks
from provisioning.models import ProvisioningJob
from provisioning.rotating import Refused
from tests.environment import new_fernet_key
from tests.provisioning.world import World, command

ADMIN_KEYS = "/organization/admin_api_keys"
KEYS_AND_ONE = ADMIN_KEYS + "*"
State = Rotation.State


def rotate(world: World) -> Rotation:
    return rotating.rotate(world.integration, by=None)


def stored(world: World) -> str:
    return Credential.objects.get(integration=world.integration).secret.reveal()


def key_of(world: World, secret: str) -> AdminKey | None:
    return next((key for key in world.organization.admin_keys.values() if key.value == secret), None)


def swapped_at(rotation: Rotation) -> datetime:
    assert rotation.swapped_at is not None
    return rotation.swapped_at


def our_keys(world: World) -> list[AdminKey]:
    """All but the one that the simulator makes for reading."""
    return [key for key in world.organization.admin_keys.values() if not key.read_only]


def expire_hold() -> None:
    """Time passes, and the process that was killed is silent for too long."""
    Rotation.objects.update(held_until=timezone.now() - timedelta(seconds=1))


# -- what goes well


def test_a_key_is_replaced_by_one_of_the_same_owner_and_the_old_one_is_revoked(world: World) -> None:
    old = stored(world)
    rotation = rotate(world)
    [key] = our_keys(world)
    boss = world.organization.find_user("boss@example.org")
    assert (rotation.state, rotation.detail) == (State.DONE, "")
    assert (stored(world), key.owner_id, key.expires_at) == (key.value, boss.id, None)
    assert key.value != old
    assert key.name == rotation.key_name
    assert key.name.startswith(f"Cakewalk Acme {timezone.localdate()} ")
    assert world.sync()["state"] == "succeeded"


def test_who_rotated_which_key_when_is_recorded_and_no_secret_is_kept(world: World) -> None:
    old = stored(world)
    alice = world.approver()
    rotating.rotate(world.integration, by=alice)
    kept = Rotation.objects.get()
    assert (kept.by, kept.old_hint, kept.new_hint) == (
        alice,
        f"sk-admin-…{old[-4:]}",
        f"sk-admin-…{stored(world)[-4:]}",
    )
    assert kept.finished_at is not None
    assert kept.started_at < swapped_at(kept) < kept.finished_at
    assert (kept.new_secret.reveal(), kept.holder) == ("", "")
    credential = Credential.objects.get()
    assert (credential.hint, credential.entered_at, credential.checked_at) == (
        kept.new_hint,
        kept.swapped_at,
        kept.swapped_at,
    )
    assert (credential.remote_id, credential.owner_id) == (kept.new_id, kept.owner_id)


def test_a_key_can_be_rotated_again_and_again(world: World) -> None:
    secrets = {stored(world)}
    for _ in range(3):
        assert rotate(world).state == State.DONE
        secrets.add(stored(world))
    assert len(secrets) == 4
    assert [key.value for key in our_keys(world)] == [stored(world)]


def test_the_new_key_lives_as_long_as_the_old_one_was_made_for(world: World) -> None:
    boss = world.organization.find_user("boss@example.org")
    expiring = world.organization.create_admin_key("Expiring", boss.id, life=86_400)
    world.integration.store_credential(expiring.value, now=timezone.now())
    assert rotate(world).state == State.DONE
    new = key_of(world, stored(world))
    assert new is not None
    assert new.expires_at is not None
    assert new.expires_at - new.created_at == 86_400


# -- the command


def test_the_command_prints_what_came_of_it(world: World) -> None:
    document, status = command("rotate_credential", "acme")
    kept = Rotation.objects.get()
    assert kept.finished_at is not None
    assert (status, document) == (
        0,
        {
            "integration": "Acme",
            "state": "done",
            "old": kept.old_hint,
            "new": kept.new_hint,
            "key_name": kept.key_name,
            "detail": None,
            "started_at": kept.started_at.isoformat(),
            "finished_at": kept.finished_at.isoformat(),
        },
    )


def test_the_command_says_in_a_sentence_what_came_of_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("rotate_credential", "Acme")
    kept = Rotation.objects.get()
    assert capsys.readouterr().out == (
        f"Acme works with the key {kept.new_hint}; {kept.old_hint} is revoked.\n"
    )


@pytest.mark.parametrize(("method", "status", "state"), [("POST", 4, "given_up"), ("DELETE", 6, "swapped")])
def test_the_command_exits_by_how_far_it_came(world: World, method: str, status: int, state: str) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, method=method, path=KEYS_AND_ONE))
    document, exited = command("rotate_credential", "Acme")
    assert (exited, document["state"]) == (status, state)
    assert "OpenAI does not permit this" in document["detail"]


def test_the_command_that_begins_nothing_is_wrong_usage(world: World) -> None:
    ProvisioningJob.objects.create(integration=world.integration, requested_at=timezone.now())
    with pytest.raises(CommandError, match="Rotate the key when it has ended") as refused:
        call_command("rotate_credential", "Acme")
    assert refused.value.returncode == 2


# -- what cannot be rotated changes nothing


def expired(world: World) -> str:
    boss = world.organization.find_user("boss@example.org")
    key = world.organization.create_admin_key("Expired", boss.id, life=1)
    key.expires_at = key.created_at - 1
    return key.value


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        (lambda world: world.organization.read_only_key, "No new key was made. OpenAI does not permit this"),
        (
            lambda world: "sk-admin-" + "revoked" * 6,
            "The key that is in use cannot make another one. The key",
        ),
        (expired, "The key that is in use cannot make another one. The key is mistyped, revoked or expired."),
    ],
    ids=["may only read", "revoked", "expired"],
)
def test_a_key_that_may_not_make_another_stays_in_use(
    world: World, secret: Callable[[World], str], says: str
) -> None:
    world.integration.store_credential(secret(world), now=timezone.now())
    before, kept = dict(world.organization.admin_keys), stored(world)
    rotation = rotate(world)
    assert rotation.state == State.GIVEN_UP
    assert rotation.detail.startswith(says)
    assert (world.organization.admin_keys, stored(world)) == (before, kept)


def test_a_key_that_openai_does_not_list_is_not_rotated(world: World) -> None:
    """Nobody could tell afterwards which one to revoke."""
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="GET", path=ADMIN_KEYS, every=True))
    rotation = rotate(world)
    assert rotation.state == State.GIVEN_UP
    assert rotation.detail.startswith("Which key is in use is not known, so it could not be revoked.")
    assert world.writes() == []


def test_a_key_is_not_rotated_while_a_job_is_live(world: World) -> None:
    job = ProvisioningJob.objects.create(integration=world.integration, requested_at=timezone.now())
    with pytest.raises(Refused, match=rf"Job {job.pk} is queued. Rotate the key when it has ended."):
        rotate(world)
    assert (world.simulator.requests, Rotation.objects.count()) == ([], 0)


def test_an_integration_without_a_key_has_nothing_to_rotate(world: World) -> None:
    Credential.objects.all().delete()
    with pytest.raises(Refused, match=r"Acme has no credential yet\."):
        rotate(world)


def test_two_rotations_at_once_are_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def meanwhile(self: Transport, request: Request) -> Any:
        if request.method == "POST":
            with pytest.raises(Refused, match="is being rotated at this moment") as caught:
                rotate(world)
            refused.append(caught.value)
        return sent(self, request)

    sent = Transport._send
    monkeypatch.setattr(Transport, "_send", meanwhile)
    assert rotate(world).state == State.DONE
    assert len(refused) == 1
    assert len(our_keys(world)) == 1


# -- a new key that does not prove itself


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            Fault(Kind.FORBIDDEN, path="/organization/users", nth=2),
            "The new key does not work. The key works, but",
        ),
        (
            Fault(Kind.FORBIDDEN, method="GET", path=ADMIN_KEYS, nth=2),
            "The new key is not seen where the old one is. OpenAI does not permit this to the API key",
        ),
    ],
)
def test_a_new_key_that_does_not_prove_itself_is_revoked_again(world: World, fault: Fault, says: str) -> None:
    old = stored(world)
    world.simulator.inject(fault)
    rotation = rotate(world)
    assert rotation.state == State.GIVEN_UP
    assert rotation.detail.startswith(says)
    assert rotation.detail.endswith("The new key is revoked again.")
    assert [key.value for key in our_keys(world)] == [stored(world)] == [old]
    assert Rotation.objects.get().new_secret.reveal() == ""


def test_a_new_key_of_another_owner_is_revoked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = world.organization.add_member("other@example.org", role="owner")
    monkeypatch.setattr(world.organization, "owner_of", lambda _: other.id)
    old = stored(world)
    assert rotate(world).detail == (
        "The new key belongs to somebody else than the old one. The new key is revoked again."
    )
    assert [key.value for key in our_keys(world)] == [stored(world)] == [old]


def test_a_proof_that_could_not_be_had_is_had_by_the_next_rotation(world: World) -> None:
    old = stored(world)
    world.simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/users", nth=2))
    assert rotate(world).state == State.MADE
    assert stored(world) == old
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


# -- lost replies


def test_a_key_whose_answer_was_lost_is_found_by_its_name_and_revoked(world: World) -> None:
    old = stored(world)
    world.simulator.inject(Fault(Kind.RESET_AFTER, method="POST", path=ADMIN_KEYS))
    rotation = rotate(world)
    assert (rotation.state, rotation.new_id) == (State.GIVEN_UP, "")
    assert rotation.detail.endswith("If a key was made, it is revoked again.")
    assert [key.value for key in our_keys(world)] == [stored(world)] == [old]
    assert rotate(world).state == State.DONE


def test_a_lost_key_that_cannot_be_looked_for_at_once_is_revoked_by_the_next_rotation(world: World) -> None:
    world.simulator.inject(Fault(Kind.SERVER_ERROR_AFTER, method="POST", path=ADMIN_KEYS))
    world.simulator.inject(Fault(Kind.SERVER_ERROR, method="GET", path=ADMIN_KEYS, nth=2))
    assert rotate(world).state == State.MAKING
    assert len(our_keys(world)) == 2
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


def test_a_key_that_appears_late_is_revoked_by_a_later_rotation(world: World) -> None:
    """Given up for lost, and made by OpenAI all the same."""
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="POST", path=ADMIN_KEYS))
    given_up = rotate(world)
    assert given_up.state == State.GIVEN_UP
    boss = world.organization.find_user("boss@example.org")
    world.organization.create_admin_key(given_up.key_name, boss.id)
    theirs = world.organization.create_admin_key("Cakewalk Acme by hand", boss.id)
    rotate(world)
    assert {key.value for key in our_keys(world)} == {stored(world), theirs.value}


@pytest.mark.parametrize("kind", [Kind.RESET_AFTER, Kind.SERVER_ERROR_AFTER])
def test_a_lost_answer_to_the_revoking_is_looked_for(world: World, kind: Kind) -> None:
    world.simulator.inject(Fault(kind, method="DELETE", path=KEYS_AND_ONE))
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.FORBIDDEN, Kind.SERVER_ERROR])
def test_an_old_key_that_could_not_be_revoked_is_told_of_until_it_is(world: World, kind: Kind) -> None:
    old = stored(world)
    world.simulator.inject(Fault(kind, method="DELETE", path=KEYS_AND_ONE))
    assert rotate(world).state == State.SWAPPED
    assert stored(world) != old
    [problem] = standing.standing_of(world.integration).problems
    assert problem.startswith(
        "The rotation of its key stopped half-way. The new key is in use; the old one is not revoked yet."
    )
    assert problem.endswith("Rotate key does so at once.")
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]
    assert standing.standing_of(world.integration).problems == ()


# -- jobs and people meanwhile


def test_the_old_key_lives_as_long_as_a_job_that_works_with_it(world: World) -> None:
    """One that was asked for and claimed while the new key was being made."""
    old = stored(world)
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="DELETE", path=KEYS_AND_ONE))
    rotation = rotate(world)
    job = ProvisioningJob.objects.create(integration=world.integration, requested_at=timezone.now())
    job.claim(holder="box", now=swapped_at(rotation) - timedelta(seconds=1))
    again = rotate(world)
    assert (again.state, again.detail) == (
        State.SWAPPED,
        f"{job} works with the old key, which is revoked when that has ended.",
    )
    assert key_of(world, old) is not None
    ProvisioningJob.objects.update(held_since=swapped_at(rotation) + timedelta(minutes=2))
    assert rotate(world).state == State.DONE


def enter_by_hand(world: World, secret: str) -> None:
    entry = Entry("openai", "Acme", world.simulator.base_url, secret, integration=world.integration)
    assert save_and_enable(entry, now=timezone.now()).works


def test_a_key_that_is_entered_by_hand_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = world.organization.find_user("boss@example.org")
    by_hand = world.organization.create_admin_key("By hand", boss.id).value
    world.simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/users", nth=2))
    rotate(world)
    enter_by_hand(world, by_hand)
    rotation = rotate(world)
    assert (rotation.state, rotation.detail) == (
        State.GIVEN_UP,
        "The credential was replaced by hand meanwhile. The new key is revoked again.",
    )
    assert stored(world) == by_hand
    assert {key.value for key in our_keys(world)} == {by_hand, world.organization.admin_key}


def test_the_old_key_entered_again_by_hand_is_not_revoked(world: World) -> None:
    old = stored(world)
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=KEYS_AND_ONE))
    assert rotate(world).state == State.SWAPPED
    enter_by_hand(world, old)
    rotation = rotate(world)
    assert rotation.state == State.GIVEN_UP
    assert rotation.detail.startswith("The credential was replaced by hand since the new key was put to use.")
    assert (stored(world), key_of(world, old) is not None) == (old, True)
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


def test_a_new_key_that_can_no_longer_be_decrypted_does_not_stop_rotations_for_ever(
    world: World, settings: Any
) -> None:
    """FERNET_KEYS was lost, and staff have entered the old key again."""
    old = stored(world)
    world.simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/users", nth=2))
    assert rotate(world).state == State.MADE
    settings.FERNET_KEYS = [new_fernet_key()]
    enter_by_hand(world, old)
    rotation = rotate(world)
    assert (rotation.state, stored(world)) == (State.GIVEN_UP, old)
    assert rotation.detail.startswith("Rotation.new_secret cannot be decrypted")
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


# -- killed at every step


class Killed(BaseException):
    """Nothing after it is run, as nothing is after a kill."""


def moments(kills: Callable[[], None]) -> dict[str, tuple[type, str, Callable[..., Any]]]:
    """Before and after every call that writes, there and here."""

    def around(step: Any, is_it: Callable[..., bool], *, after: bool) -> Callable[..., Any]:
        def stepping(self: Any, *arguments: Any) -> Any:
            if not is_it(self, *arguments):
                return step(self, *arguments)
            if not after:
                kills()
            done = step(self, *arguments)
            if after:
                kills()
            return done

        return stepping

    found: dict[str, tuple[type, str, Callable[..., Any]]] = {}
    for after in (False, True):
        when = "after" if after else "before"
        for method in ("POST", "DELETE"):
            asks = around(Transport._send, lambda _, sent, m=method: sent.method == m, after=after)
            found[f"{when} {method}"] = (Transport, "_send", asks)
        for state in (State.MAKING, State.MADE, State.SWAPPED, State.DONE):
            writes = around(Rotation._write, lambda _, told, s=state: told.get("state") == s, after=after)
            found[f"{when} {state} is written"] = (Rotation, "_write", writes)
    return found


def die() -> None:
    raise Killed


@pytest.mark.parametrize("moment", moments(die))
def test_a_rotation_killed_at_any_step_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(*moments(die)[moment])
        with pytest.raises(Killed):
            rotate(world)
    assert key_of(world, stored(world)) is not None, "the key in use works"
    expire_hold()
    rotation = rotate(world)
    assert rotation.state == State.DONE
    [key] = our_keys(world)
    assert (key.value, key.name) == (stored(world), rotation.key_name)
    assert {kept.new_secret.reveal() for kept in Rotation.objects.all()} == {""}
    assert world.sync()["state"] == "succeeded"


# -- the clock goes on with what was interrupted


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What workers were told, with nobody there to hear it."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.go_on_with_rotation, "delay", lambda **words: told.append(words))
    return told


def clock_ticks(sent: list[dict[str, Any]]) -> int:
    """One tick, and a worker that does what it is told. How much that was."""
    sent.clear()
    tasks.go_on_with_rotations()
    for words in sent:
        tasks.go_on_with_rotation(**words)
    return len(sent)


def wait_is_over() -> None:
    Rotation.objects.update(next_try_at=timezone.now())


@pytest.mark.parametrize("moment", moments(die))
def test_the_clock_goes_on_with_a_rotation_that_was_killed_at_any_step(
    world: World, monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]], moment: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(*moments(die)[moment])
        with pytest.raises(Killed):
            rotate(world)
    assert clock_ticks(sent) == 0, "the process may live"
    expire_hold()
    clock_ticks(sent)
    kept = Rotation.objects.get()
    assert sent in ([], [{"rotation_id": kept.pk}])
    assert (kept.state, kept.holder, kept.new_secret.reveal()) == (State.DONE, "", "")
    assert [key.value for key in our_keys(world)] == [stored(world)]
    assert (clock_ticks(sent), standing.standing_of(world.integration).problems) == (0, ())


def test_a_rotation_that_stopped_half_way_is_gone_on_with_after_a_wait_that_grows(
    world: World, sent: list[dict[str, Any]]
) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=KEYS_AND_ONE, every=True))
    assert rotate(world).state == State.SWAPPED
    [problem] = standing.standing_of(world.integration).problems
    assert "Cakewalk goes on with it by itself" in problem
    waits = []
    for _ in range(Rotation.MOST_TRIES):
        assert clock_ticks(sent) == 0, "it is not time yet"
        wait_is_over()
        before = timezone.now()
        assert clock_ticks(sent) == 1
        kept = Rotation.objects.get()
        assert kept.next_try_at is not None
        waits.append((kept.next_try_at - before).total_seconds())
    assert [round(wait / 60) for wait in waits[:7]] == [2, 4, 8, 16, 32, 60, 60]
    wait_is_over()
    assert clock_ticks(sent) == 0, "it has been tried often enough"
    [problem] = standing.standing_of(world.integration).problems
    assert problem.endswith("Rotate key goes on with it.")
    assert rotate(world).state == State.SWAPPED
    assert Rotation.objects.get().tries == 0, "whoever asks for it asks the clock, too"


def test_the_clock_and_a_person_never_go_on_with_it_at_once(
    world: World, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=KEYS_AND_ONE))
    kept = rotate(world)
    wait_is_over()
    at_once = []

    def meanwhile(self: Transport, request: Request) -> Any:
        if request.method == "DELETE":
            tasks.go_on_with_rotation(rotation_id=kept.pk)  # a message that came twice
            with pytest.raises(Refused, match="is being rotated at this moment") as refused:
                rotate(world)
            at_once.append(refused.value)
        return post(self, request)

    post = Transport._send
    monkeypatch.setattr(Transport, "_send", meanwhile)
    clock_ticks(sent)
    kept.refresh_from_db()
    assert (kept.state, len(at_once)) == (State.DONE, 1)


def test_the_clock_leaves_a_disabled_integration_alone(world: World, sent: list[dict[str, Any]]) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=KEYS_AND_ONE))
    rotate(world)
    wait_is_over()
    world.integration.disable()
    assert clock_ticks(sent) == 0
    [problem] = standing.standing_of(world.integration).problems
    assert problem.endswith("Rotate key goes on with it.")


def test_what_a_killed_process_left_is_gone_on_with_only_when_it_is_silent_for_too_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(*moments(die)["after POST"])
        with pytest.raises(Killed):
            rotate(world)
    until = timezone.localtime(Rotation.objects.get().held_until)
    with pytest.raises(Refused, match=rf"another can go on after {until:%H:%M:%S}\."):
        rotate(world)
    assert len(our_keys(world)) == 2


@pytest.mark.parametrize("wakes_up", ["before", "after"])
def test_a_process_that_wakes_up_late_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, wakes_up: str
) -> None:
    sent = Transport._send

    def sleeps() -> None:
        monkeypatch.setattr(Transport, "_send", sent)
        expire_hold()
        assert rotate(world).state == State.SWAPPED

    monkeypatch.setattr(*moments(sleeps)[f"{wakes_up} POST"])
    last = 1 if wakes_up == "before" else 2  # after: the key of the sleeper is revoked first
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=KEYS_AND_ONE, nth=last))
    with pytest.raises(Refused, match=r"Another process goes on with the rotation\."):
        rotate(world)
    assert len(our_keys(world)) == 2, "the old one and the new one; the sleeper's is gone"
    assert rotate(world).state == State.DONE
    assert [key.value for key in our_keys(world)] == [stored(world)]


def test_a_rotation_that_is_at_work_is_no_problem(world: World) -> None:
    rotation = Rotation(state=State.MADE, held_until=timezone.now() + timedelta(minutes=1))
    assert credentials.rotation_problem(rotation, now=timezone.now()) == ""
