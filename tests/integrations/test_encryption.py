"""Secrets at rest, and in memory: nothing shows one, nothing loses one, and nothing else counts as one."""

import copy
import json
import pickle
import traceback
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import checks, serializers
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.serializers.base import DeserializationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Case, F, Q, Subquery, TextField, Value, When
from django.db.models.functions import Cast, Concat, Lower
from django.template import Context, Template

from cakewalk.encryption import DecryptionError, EncryptedTextField, Secret, check_fernet_keys, fernet
from integrations.models import Credential, CredentialMissing, Integration
from tests.environment import new_fernet_key
from tests.integrations.entering import NOW

TEXT = "sk-admin-" + "correct-horse-battery-staple"
OLD, NEW = new_fernet_key(), new_fernet_key()


@pytest.fixture
def credential(db: None) -> Credential:
    acme = Integration.objects.create(kind="openai", name="Acme", base_url="https://api.openai.com/v1")
    return Credential.objects.create(integration=acme, secret=TEXT, hint="sk-admin-…", entered_at=NOW)


def column() -> list[str]:
    """What the database itself holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM integrations_credential ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def put_in_column(text: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integrations_credential SET secret = %s", [text])


def reloaded() -> str:
    return Credential.objects.get().secret.reveal()


# -- at rest


def test_the_column_holds_plain_fernet_and_no_secret(credential, settings):
    (stored,) = column()
    assert TEXT not in stored
    assert Fernet(settings.FERNET_KEYS[0]).decrypt(stored).decode() == TEXT
    assert reloaded() == TEXT


def test_the_same_secret_is_never_stored_twice_alike(credential):
    (before,) = column()
    credential.save()
    (after,) = column()
    assert before != after
    assert reloaded() == TEXT


@pytest.mark.parametrize(
    "text", ["", " ", "é ß 漢 🔑", "a" * 10_000, "line\nline\r\n\t", "gAAAAAB not a token"]
)
def test_every_text_comes_back_as_it_was(credential, text):
    credential.secret = Secret(text)
    credential.save()
    assert reloaded() == text


@pytest.mark.parametrize("save", ["save", "update", "bulk_update", "bulk_create", "update_or_create"])
def test_every_way_of_saving_encrypts_and_keeps(credential, save):
    credential.secret = Secret("another")
    match save:
        case "save":
            credential.save(update_fields=["secret"])
        case "update":
            Credential.objects.update(secret=Secret("another"))
        case "bulk_update":
            Credential.objects.bulk_update([credential], ["secret", "hint"])
        case "bulk_create":
            Credential.objects.all().delete()
            Credential.objects.bulk_create([credential])
        case "update_or_create":
            Credential.objects.update_or_create(pk=credential.pk, defaults={"secret": "another"})
    assert "another" not in column()[0]
    assert reloaded() == "another"


def test_bulk_update_keeps_each_secret_with_its_row(credential):
    other = Integration.objects.create(kind="openai", name="Other", base_url="https://api.openai.com/v1")
    second = Credential.objects.create(integration=other, secret="second", hint="", entered_at=NOW)
    credential.secret, second.secret = Secret("one"), Secret("two")
    Credential.objects.bulk_update([credential, second], ["secret"])
    assert [row.secret.reveal() for row in Credential.objects.order_by("pk")] == ["one", "two"]


def test_bulk_update_works_where_the_database_wants_its_cases_cast(credential):
    """PostgreSQL does, and then the field is handed a cast."""
    field: Any = Credential._meta.get_field("secret")
    cases = Case(When(pk=1, then=Value(Secret("x"), output_field=field)), output_field=field)
    for expression in (cases, Cast(cases, output_field=field)):
        assert field.get_db_prep_save(expression, connection) is expression


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(Value("plain"), id="a value"),
        pytest.param(F("hint"), id="another column"),
        pytest.param(Concat(Value("a"), F("hint")), id="a function"),
        pytest.param(Cast(Value("plain"), TextField()), id="a cast"),
        pytest.param(Case(When(pk__gt=0, then=Value("plain")), default=Value("plain")), id="cases"),
        pytest.param(Case(When(pk__gt=0, then=F("hint"))), id="cases of another column"),
        pytest.param(Case(default=Value("plain"), output_field=TextField()), id="a default"),
        pytest.param(Subquery(Integration.objects.values("name")[:1]), id="a query"),
    ],
)
def test_nothing_is_set_from_an_expression_which_would_be_stored_as_it_is(credential, expression):
    before = column()
    refused = pytest.raises(FieldError, match=r"^Credential\.secret cannot be set from an expression\.$")
    with refused, transaction.atomic():
        Credential.objects.update(secret=expression)
    assert column() == before


@pytest.mark.parametrize("value", [7, b"bytes", ["a"], {"a": 1}, True, object()])
def test_only_texts_and_secrets_are_taken(credential, value):
    credential.secret = value
    refused = pytest.raises(TypeError, match=r"^Credential\.secret takes a text or a Secret\.$")
    with refused, transaction.atomic():
        credential.save()
    assert reloaded() == TEXT


@pytest.mark.parametrize(
    "lookup",
    [
        {"secret": TEXT},
        {"secret": Secret(TEXT)},
        {"secret__iexact": TEXT},
        {"secret__contains": "sk"},
        {"secret__startswith": "sk"},
        {"secret__in": [TEXT]},
        {"secret__gt": ""},
        {"secret__regex": "."},
        {"secret__lower": TEXT},
    ],
)
def test_a_secret_cannot_be_looked_up(credential, lookup):
    for query in (Q(**lookup), ~Q(**lookup)):
        with pytest.raises(FieldError, match="secret"):
            list(Credential.objects.filter(query))


def test_whether_there_is_one_can_be_asked(credential):
    assert Credential.objects.filter(secret__isnull=False).count() == 1


def test_a_secret_is_read_only_where_it_is_asked_for(credential, settings):
    settings.FERNET_KEYS = [NEW]  # whoever decrypts now, fails
    deferred = Credential.objects.defer("secret").get()
    assert (deferred.hint, str(deferred)) == ("sk-admin-…", "sk-admin-…")
    assert Credential.objects.values_list("hint", "owner_id").get() == ("sk-admin-…", "")
    with pytest.raises(DecryptionError):
        _ = deferred.secret


def test_values_hide_themselves_too(credential):
    assert Credential.objects.values_list("secret", flat=True).get() == Secret(TEXT)
    assert TEXT not in f"{list(Credential.objects.values())} {Credential.objects.values_list('secret')}"


def test_an_annotation_tells_nothing(credential):
    """A function of the column sees the ciphertext, and what comes back is no secret."""
    assert TEXT.lower() not in str(Credential.objects.annotate(x=Cast("secret", TextField())).get().x)
    with pytest.raises(DecryptionError):
        Credential.objects.annotate(x=Lower("secret")).get()


def test_an_empty_text_is_no_credential(credential):
    for nothing in ("", Secret("")):
        credential.secret = nothing
        credential.save()
        assert not Credential.objects.get().secret
        with pytest.raises(CredentialMissing, match=r"^Acme has no credential yet\.$"):
            Integration.objects.get().stored_secret()


# -- keys


@pytest.mark.parametrize("stored", ["plain text", "", "gAAAAAB", "naïve", TEXT, "\N{KEY}"])
def test_what_is_no_token_of_ours_is_named_and_never_handed_out(credential, stored):
    put_in_column(stored)
    with pytest.raises(DecryptionError) as error:
        Credential.objects.get()
    assert str(error.value) == (
        "Credential.secret cannot be decrypted: no key in FERNET_KEYS wrote it. Restore that key, or enter "
        "the secret again."
    )


def test_a_tampered_token_is_refused(credential):
    (token,) = column()
    put_in_column(token[:40] + ("A" if token[40] != "A" else "B") + token[41:])
    with pytest.raises(DecryptionError, match=r"^Credential\.secret cannot"):
        Credential.objects.get()


def test_another_key_opens_nothing(credential, settings):
    settings.FERNET_KEYS = [NEW]
    with pytest.raises(DecryptionError, match=r"^Credential\.secret cannot"):
        Integration.objects.get().stored_secret()


def test_keys_are_rotated_by_putting_a_new_one_first(credential, settings):
    settings.FERNET_KEYS = [OLD]
    put_in_column(Fernet(OLD).encrypt(TEXT.encode()).decode())
    settings.FERNET_KEYS = [NEW, OLD]
    assert reloaded() == TEXT
    Credential.objects.get().save()
    settings.FERNET_KEYS = [NEW]
    assert reloaded() == TEXT
    settings.FERNET_KEYS = [OLD]
    with pytest.raises(DecryptionError):
        Credential.objects.get()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ([], "FERNET_KEYS is empty: it needs at least one key."),
        (["short"], "FERNET_KEYS, key 1 of 1: not a Fernet key (32 bytes, URL-safe base64)."),
        ([NEW, ""], "FERNET_KEYS, key 2 of 2: not a Fernet key (32 bytes, URL-safe base64)."),
        ([NEW, OLD[:-4]], "FERNET_KEYS, key 2 of 2: not a Fernet key (32 bytes, URL-safe base64)."),
        (["é" * 44], "FERNET_KEYS, key 1 of 1: not a Fernet key (32 bytes, URL-safe base64)."),
        (["!" * 44], "FERNET_KEYS, key 1 of 1: not a Fernet key (32 bytes, URL-safe base64)."),
    ],
)
def test_a_missing_or_bad_key_is_named_by_its_place(credential, settings, keys, sentence):
    settings.FERNET_KEYS = keys
    for attempt in (fernet, Credential.objects.get, credential.save):
        with pytest.raises(ImproperlyConfigured) as error:
            attempt()
        assert str(error.value) == sentence
    assert [(found.id, found.msg) for found in check_fernet_keys()] == [("cakewalk.E001", sentence)]


def test_no_message_about_a_key_holds_it(settings):
    settings.FERNET_KEYS = [NEW, OLD[:-4]]
    with pytest.raises(ImproperlyConfigured) as error:
        fernet()
    said = "".join(traceback.format_exception(error.value))
    assert NEW not in said
    assert OLD[:-4] not in said


def test_the_check_is_content_with_good_keys_and_run_by_django(settings):
    settings.FERNET_KEYS = [NEW, OLD]
    assert check_fernet_keys() == []
    settings.FERNET_KEYS = []
    assert "cakewalk.E001" in [found.id for found in checks.run_checks()]


# -- in memory


def in_template(secret: Secret) -> str:
    return Template(
        "{{ secret }}|{{ secret|safe }}|{{ secret|stringformat:'s' }}|{{ secret|pprint }}"
    ).render(Context({"secret": secret}))


@pytest.mark.parametrize(
    "shown",
    [
        str,
        repr,
        "{}".format,
        "{!r}".format,
        "%s".__mod__,
        "%r".__mod__,
        ascii,
        in_template,
        lambda secret: f"{[secret]} {({'key': secret},)}",
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: str(ValueError("refused", secret)),
    ],
)
def test_a_secret_shows_its_fingerprint_and_nothing_else(shown):
    secret = Secret(TEXT)
    said = shown(secret)
    assert secret.fingerprint in said
    assert not any(part in said for part in ("sk-admin", "correct", "horse", "battery", "staple"))


def test_equal_secrets_have_equal_fingerprints():
    assert Secret("a").fingerprint == Secret("a").fingerprint != Secret("b").fingerprint
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_equals_no_text():
    assert Secret(TEXT) != TEXT
    assert Secret(TEXT) != TEXT


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(json.dumps, id="json"),
        pytest.param(DjangoJSONEncoder().encode, id="Django's json"),
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(lambda secret: pickle.dumps(secret, protocol=0), id="old pickle"),
        pytest.param(lambda secret: pickle.dumps({"secret": secret}), id="pickle, nested"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda secret: secret + "", id="concatenation"),
        pytest.param(lambda secret: "".join([secret]), id="join"),
        pytest.param(lambda secret: f"{secret:>80}", id="padding"),
        pytest.param(iter, id="iteration"),
    ],
)
def test_a_secret_does_not_travel(attempt):
    with pytest.raises(TypeError) as error:
        attempt(Secret(TEXT))
    assert TEXT not in str(error.value)


def test_a_row_with_its_secret_is_not_pickled(credential):
    with pytest.raises(TypeError, match=r"^A Secret is never pickled"):
        pickle.dumps(Credential.objects.get())


# -- dumps


@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_a_dump_holds_ciphertext_and_brings_the_secret_back(credential, tmp_path, form):
    dumped = StringIO()
    call_command("dumpdata", "integrations", format=form, stdout=dumped)
    assert "fernet:gAAAAA" in dumped.getvalue()
    assert TEXT not in dumped.getvalue()
    path = tmp_path / f"dump.{form}"
    path.write_text(dumped.getvalue())
    Integration.objects.all().delete()
    call_command("loaddata", str(path), verbosity=0)
    assert reloaded() == TEXT
    assert column()[0].startswith("gAAAAA")


def test_an_empty_secret_is_dumped_and_loaded_as_empty(credential):
    Credential.objects.update(secret=Secret(""))
    dumped = serializers.serialize("json", Credential.objects.all())
    for found in serializers.deserialize("json", dumped):
        found.save()
    assert reloaded() == ""


@pytest.mark.parametrize("spoil", ["a lost key", "a broken token", "no token"])
def test_a_dump_that_no_key_opens_is_refused_by_name_and_changes_nothing(
    credential, settings, tmp_path: Path, spoil
):
    row = json.loads(serializers.serialize("json", Credential.objects.all()))[0]
    if spoil == "a lost key":
        row["fields"]["secret"] = "fernet:" + Fernet(OLD).encrypt(b"theirs").decode()
    else:
        row["fields"]["secret"] = {"a broken token": row["fields"]["secret"][:-9], "no token": "fernet:é"}[
            spoil
        ]
    path = tmp_path / "dump.json"
    path.write_text(json.dumps([row]))
    with pytest.raises((CommandError, DeserializationError), match=r"Credential\.secret cannot be decrypted"):
        call_command("loaddata", str(path), verbosity=0)
    assert reloaded() == TEXT


def test_a_plain_text_in_a_fixture_is_encrypted_when_it_is_loaded(credential):
    row = json.loads(serializers.serialize("json", Credential.objects.all()))[0]
    row["fields"]["secret"] = "typed by hand"
    for found in serializers.deserialize("json", json.dumps([row])):
        found.save()
    assert reloaded() == "typed by hand"
    assert "typed" not in column()[0]


def test_the_field_is_found_again_by_a_migration():
    _name, path, args, kwargs = EncryptedTextField(help_text="x").deconstruct()
    assert (path, args, kwargs) == ("cakewalk.encryption.EncryptedTextField", [], {"help_text": "x"})
