"""Receivers verify our signatures with the library of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from audience_gql.webhooks.signing import new_secret, signed_headers
from tests.webhooks.receivers import BODY


def signed(*with_secrets, body=BODY, sent_at=None):
    return signed_headers(
        message_id="msg_1", sent_at=sent_at or datetime.now(UTC), body=body, with_secrets=with_secrets
    )


def test_a_receiver_verifies_a_message():
    secret = new_secret()

    headers = signed(secret)

    assert Webhook(secret).verify(BODY, headers) == {"type": "audience.membership.changed"}
    assert headers["webhook-id"] == "msg_1"


def test_while_a_secret_is_rotated_both_verify():
    new, old = new_secret(), new_secret()

    headers = signed(new, old)

    assert Webhook(new).verify(BODY, headers) == Webhook(old).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "secret"])
def test_a_changed_message_is_not_verified(changed):
    secret = new_secret()
    headers = signed(secret)
    body = BODY + b" " if changed == "body" else BODY
    key = new_secret() if changed == "secret" else secret
    if changed in headers:
        headers[changed] = "msg_2" if changed == "webhook-id" else str(int(headers[changed]) + 1)

    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(key).verify(body, headers)


def test_an_old_message_is_not_verified():
    secret = new_secret()
    headers = signed(secret, sent_at=datetime.now(UTC) - timedelta(minutes=6))

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)


def test_the_timestamp_has_whole_seconds():
    headers = signed(new_secret(), sent_at=datetime(2026, 1, 2, 3, 4, 5, 999_999, UTC))

    assert headers["webhook-timestamp"] == "1767323045"


def test_a_new_secret_has_32_random_bytes():
    first, second = new_secret(), new_secret()

    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_of_the_allowed_sizes_signs(size):
    secret = f"whsec_{base64.b64encode(b'k' * size).decode()}"

    assert Webhook(secret).verify(BODY, signed(secret))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_*",
        base64.b64encode(b"k" * 32).decode(),
        f"whsec_{base64.b64encode(b'k' * 23).decode()}",
        f"whsec_{base64.b64encode(b'k' * 65).decode()}",
    ],
)
def test_a_malformed_secret_signs_nothing(secret):
    with pytest.raises(ValueError, match=r"base64|padding"):
        signed(secret)
