"""The first hour of a platform team, in a second environment beside the first in one account."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest

from machine import Machine, Outside, wait_until
from stack import ALICE, BOB, PROD, STAGING, Stint, words


@pytest.fixture(scope="module")
def fresh(world: tuple[Machine, Outside], deployed: Stint) -> Stint:
    """A stack for staging, with flows of its own, as `sam deploy` leaves it."""
    staging = Stint(*world, name="stint-staging")
    staging.deploy(flows_folder="staging")
    return staging


@pytest.fixture
def staging(fresh: Stint) -> Stint:
    """That stack, to which Slack sends."""
    fresh.listen()
    return fresh


JSON = {"Content-Type": "application/json"}


def test_without_the_slack_secret_nothing_is_believed(staging: Stint) -> None:
    answer = staging.post(b"payload=anything")
    assert answer.status_code == 503
    command = "aws secretsmanager put-secret-value --secret-id /stint/stint-staging/slack"
    staging.wait_for_words("the command is logged", lambda: staging.log("slack-ingress"), command)


def test_with_it_slack_can_check_the_address(staging: Stint) -> None:
    staging.put_slack_secret()
    check = {"type": "url_verification", "challenge": "3eZbrw1aB"}
    answer = staging.post(json.dumps(check).encode(), **signed(check))
    assert answer.status_code == 200, answer.text
    assert "3eZbrw1aB" in answer.text
    unsigned = staging.post(json.dumps(check).encode(), **JSON)
    assert unsigned.status_code == 401


def test_an_approval_before_okta_is_configured_fails_with_a_clear_error(staging: Stint) -> None:
    request = staging.ask(ALICE, "Prod", "1 hour")
    staging.press(BOB, "approve", request)
    command = "aws secretsmanager put-secret-value --secret-id /stint/stint-staging/okta"
    staging.wait_for_words("the error channel has the command", staging.errors, command)
    assert staging.standing(request) == "pending"
    assert not staging.is_member(ALICE, PROD)
    alarm = lambda: staging.has_alarm_for("approval", "OktaSignInFailed")  # noqa: E731
    wait_until("its alarm would ring", alarm, 30, staging.explain)

    staging.put_okta_secret()
    staging.press(BOB, "approve", request)
    staging.wait_for_state(request, "active")
    assert staging.is_member(ALICE, PROD)


def test_the_first_environment_is_not_touched(staging: Stint, deployed: Stint) -> None:
    shared = [r for r in staging.requests() if r in deployed.requests()]
    assert staging.requests() and not shared
    same = [
        key
        for key in ("SlackRequestUrl", "SlackSecretName", "OktaSecretName", "TableName")
        if staging.outputs[key] == deployed.outputs[key]
    ]
    assert not same
    # Each goes its road: what one stack gave, the other one does not take back.
    deployed.listen()
    request = deployed.grant(BOB, "Staging", "1 hour", approver="U03CAROL")
    deployed.press("U03CAROL", "revoke", request)
    deployed.wait_for_state(request, "ended/revoked")
    assert not deployed.is_member(BOB, STAGING)
    assert staging.is_member(ALICE, PROD)
    staging.listen()
    [own] = staging.requests()
    staging.press(BOB, "revoke", own)
    staging.wait_for_state(own, "ended/revoked")
    assert words(staging.card(staging.request(own)))


def signed(body: dict[str, str]) -> dict[str, str]:
    """The headers with which Slack sends this."""
    now = str(int(time.time()))
    text = f"v0:{now}:{json.dumps(body)}".encode()
    digest = hmac.new(b"sandbox-signing-secret", text, hashlib.sha256).hexdigest()
    return {**JSON, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest}"}
