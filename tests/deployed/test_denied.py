"""What nobody may do, tried with the credentials of the deployed functions themselves.

The credentials are read from the functions' processes, as code that runs in them could. Beside each
refusal stands what the same credentials may do, so that it is the statement that refuses.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from machine import refused, wait_until
from stack import ALICE, BOB, FUNCTIONS, OKTA_SECRET, SLACK_SECRET, Stint


@pytest.fixture(scope="module")
def warm(deployed: Stint) -> Stint:
    """The stack, each of whose functions runs."""
    deployed.listen()
    request = deployed.grant(ALICE, "Prod", "1 hour")
    deployed.press(BOB, "revoke", request)
    deployed.wait_for_state(request, "ended")
    for function in FUNCTIONS:
        assert deployed.machine.credentials_of(deployed.function(function))
    return deployed


@pytest.fixture(scope="module")
def stranger(warm: Stint) -> Iterator[dict[str, str]]:
    """Another role of the account, which may do everything that its own policy can allow."""
    iam, name = warm.client("iam"), "stranger"
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{warm.account}:root"},
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy(everything))
    arn = f"arn:aws:iam::{warm.account}:role/{name}"
    yield session(warm.client("sts").assume_role(RoleArn=arn, RoleSessionName="test"))
    iam.delete_role_policy(RoleName=name, PolicyName="all")
    iam.delete_role(RoleName=name)


def policy(statement: dict[str, Any]) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def session(assumed: dict[str, Any]) -> dict[str, str]:
    """The credentials of a role that was assumed."""
    found = assumed["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


def acting_as(stint: Stint, function: str, service: str) -> Any:
    """A client with the credentials of a function."""
    credentials = stint.machine.credentials_of(stint.function(function))
    return stint.client(service, **credentials)


def assume(sts: Any, stint: Stint, **named: str) -> dict[str, str]:
    """Assumes the runtime connector."""
    role = stint.outputs["RuntimeConnectorRoleArn"]
    return session(sts.assume_role(RoleArn=role, RoleSessionName="test", **named))


def external_id(stint: Stint) -> dict[str, str]:
    """The external id that the connector wants to hear."""
    return {"ExternalId": stint.outputs["RuntimeConnectorExternalId"]}


# slack-ingress, which the internet reaches.


def test_slack_ingress_cannot_read_the_okta_secret(warm: Stint) -> None:
    secrets = acting_as(warm, "slack-ingress", "secretsmanager")
    own = secrets.get_secret_value(SecretId=warm.outputs["SlackSecretName"])
    assert json.loads(own["SecretString"]) == SLACK_SECRET
    with refused():
        secrets.get_secret_value(SecretId=warm.outputs["OktaSecretName"])


def test_slack_ingress_cannot_assume_the_connector(warm: Stint) -> None:
    sts = acting_as(warm, "slack-ingress", "sts")
    with refused():
        assume(sts, warm, **external_id(warm))


def test_slack_ingress_cannot_touch_the_table(warm: Stint) -> None:
    table, key = warm.outputs["TableName"], {"pk": {"S": "request#x"}, "sk": {"S": "request"}}
    read = {"TableName": table, "Key": key}
    assert acting_as(warm, "approval", "dynamodb").get_item(**read)
    dynamodb = acting_as(warm, "slack-ingress", "dynamodb")
    with refused():
        dynamodb.get_item(**read)
    with refused():
        dynamodb.put_item(TableName=table, Item=key)
    with refused():
        dynamodb.delete_item(**read)
    with refused():
        dynamodb.scan(TableName=table)


# Homes: who may find what in the table, and whom a Home may be asked of.

INDEXES = {
    "due": ("due_shard", {"deescalation"}),
    "open": ("open_flow", {"approval", "escalation", "deescalation"}),
    "person": ("person", {"approval"}),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_finds_only_what_it_needs_to_find(warm: Stint, function: str) -> None:
    dynamodb, table = acting_as(warm, function, "dynamodb"), warm.outputs["TableName"]
    for index, (key, allowed) in INDEXES.items():
        query = {
            "TableName": table,
            "IndexName": index,
            "KeyConditionExpression": f"{key} = :it",
            "ExpressionAttributeValues": {":it": {"S": "nothing"}},
        }
        if function in allowed:
            assert dynamodb.query(**query)["Count"] == 0
        else:
            with refused():
                dynamodb.query(**query)
    with refused():
        dynamodb.scan(TableName=table)
    with refused():
        dynamodb.scan(TableName=table, IndexName="open")
    with refused():
        dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :it",
            ExpressionAttributeValues={":it": {"S": "nothing"}},
        )


WAKES = {
    "slack-ingress": {"approval"},
    "approval": {"approval", "escalation", "deescalation"},
    "escalation": {"approval"},
    "deescalation": {"approval", "escalation"},
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_wakes_only_what_it_hands_on_to(warm: Stint, function: str) -> None:
    lambdas = acting_as(warm, function, "lambda")
    for other in FUNCTIONS:
        # About nobody, so that it is only taken.
        about = {"home": "U00NOBODY"} if other == "approval" else {"request": "nothing"}
        event = {
            "FunctionName": warm.function(other),
            "InvocationType": "Event",
            "Payload": json.dumps({"v": 1, **about}),
        }
        if other in WAKES[function]:
            assert lambdas.invoke(**event)["StatusCode"] == 202
        else:
            with refused():
                lambdas.invoke(**event)


@pytest.mark.parametrize("function", ["escalation", "deescalation"])
def test_without_a_signature_approval_does_nothing_but_draw_a_home(
    warm: Stint, function: str
) -> None:
    request = warm.ask(ALICE, "Prod", "1 hour")
    for user, action in ((ALICE, "cancel"), (BOB, "approve")):
        warm.open_home(user)
        warm.wait_for_home(user, action, request)
    drawn = lambda: warm.outside.state()["slack"]["homes"][BOB]["hash"]  # noqa: E731
    lambdas, approval = acting_as(warm, function, "lambda"), warm.function("approval")

    def hand(event: dict[str, Any]) -> None:
        lambdas.invoke(FunctionName=approval, Payload=json.dumps(event))

    audit = warm.audit(request)
    hand(click(BOB, "approve", request, "not the secret of the app"))
    assert warm.standing(request) == "pending" and warm.audit(request) == audit
    before = drawn()
    hand({"v": 1, "home": BOB, "request": request})
    assert drawn() != before
    assert warm.standing(request) == "pending" and warm.audit(request) == audit

    # It is the signature that was missing.
    hand(click(BOB, "approve", request, SLACK_SECRET["slack_signing_secret"]))
    warm.wait_for_state(request, "active")
    warm.press(BOB, "revoke", request)
    warm.wait_for_state(request, "ended")


def click(user: str, action: str, request: str, secret: str) -> dict[str, Any]:
    """A click as slack-ingress hands it on, signed with `secret`."""
    pressed = {
        "type": "block_actions",
        "team": {"id": "T0SANDBOX"},
        "user": {"id": user, "team_id": "T0SANDBOX"},
        "actions": [{"type": "button", "action_id": action, "value": request}],
    }
    body = urlencode({"payload": json.dumps(pressed)})
    timestamp = str(int(time.time()))
    signed = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), "sha256")
    return {
        "v": 1,
        "timestamp": timestamp,
        "signature": f"v0={signed.hexdigest()}",
        "content_type": "application/x-www-form-urlencoded",
        "body": b64encode(body.encode()).decode(),
    }


# The runtime connector.


@pytest.mark.parametrize("function", ["approval", "escalation", "deescalation"])
def test_the_connector_wants_the_external_id(warm: Stint, function: str) -> None:
    sts = acting_as(warm, function, "sts")
    assert assume(sts, warm, **external_id(warm))
    with refused():
        assume(sts, warm)
    with refused():
        assume(sts, warm, ExternalId="00000000-0000-0000-0000-000000000000")


def test_the_connector_does_not_trust_another_role(warm: Stint, stranger: dict[str, str]) -> None:
    sts = warm.client("sts", **stranger)
    assert "stranger" in sts.get_caller_identity()["Arn"]
    with refused():
        assume(sts, warm, **external_id(warm))


def test_the_connector_reads_no_secret_without_the_tag(warm: Stint) -> None:
    secrets = warm.client("secretsmanager")
    connector = warm.client(
        "secretsmanager", **assume(acting_as(warm, "escalation", "sts"), warm, **external_id(warm))
    )
    okta = connector.get_secret_value(SecretId=warm.outputs["OktaSecretName"])
    assert json.loads(okta["SecretString"]) == OKTA_SECRET

    tag = [{"Key": "StintRuntime", "Value": warm.name}]
    others = {
        f"/stint/{warm.name}/untagged": [],
        f"/stint/{warm.name}/of-another": [{"Key": "StintRuntime", "Value": "another"}],
        "/elsewhere/tagged": tag,
    }
    for name, tags in others.items():
        secrets.create_secret(Name=name, SecretString="x", Tags=tags)
        with refused():
            connector.get_secret_value(SecretId=name)
    # Under the runtime's path and with its tag it is read: both are needed, nothing else.
    untagged = f"/stint/{warm.name}/untagged"
    secrets.tag_resource(SecretId=untagged, Tags=tag)
    assert connector.get_secret_value(SecretId=untagged)["SecretString"] == "x"
    with refused():
        connector.put_secret_value(SecretId=untagged, SecretString="y")
    for name in others:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


# The schedules' role.


@pytest.mark.parametrize("function", ["approval", "escalation", "slack-ingress"])
def test_a_schedule_with_the_role_wakes_nothing_but_deescalation(
    warm: Stint, function: str
) -> None:
    schedules = acting_as(warm, "escalation", "scheduler")
    arn = warm.arn("lambda", f"function:{warm.function(function)}")
    kept, started = warm.queue("ScheduleFailed"), time.time()
    schedules.create_schedule(**warm.schedule_now(Arn=arn))
    wait_until(
        "the event is in ScheduleFailed",
        lambda: warm.queue("ScheduleFailed") == kept + 1,
        30,
        warm.explain,
    )
    assert warm.log(function, since=started) == ""


def test_a_schedule_with_the_role_wakes_deescalation(warm: Stint) -> None:
    schedules, started = acting_as(warm, "escalation", "scheduler"), time.time()
    schedules.create_schedule(**warm.schedule_now())
    wait_until(
        "deescalation was woken", lambda: warm.log("deescalation", started), 30, warm.explain
    )


def test_escalation_gives_schedules_no_other_role(warm: Stint) -> None:
    schedules = acting_as(warm, "escalation", "scheduler")
    with refused():
        schedules.create_schedule(**warm.schedule_now(RoleArn=warm.role("ApprovalRole")))


def test_escalation_makes_no_schedule_outside_of_the_group(warm: Stint) -> None:
    schedules = acting_as(warm, "escalation", "scheduler")
    with refused():
        schedules.create_schedule(**warm.schedule_now(GroupName="default"))


def test_the_role_serves_no_schedule_of_another_group(warm: Stint) -> None:
    # Not even for an administrator.
    with refused("ValidationException"):
        warm.client("scheduler").create_schedule(**warm.schedule_now(GroupName="default"))


def test_nobody_else_gets_the_role(warm: Stint, stranger: dict[str, str]) -> None:
    for credentials in (
        stranger,
        *(warm.machine.credentials_of(warm.function(function)) for function in FUNCTIONS),
    ):
        with refused():
            warm.client("sts", **credentials).assume_role(
                RoleArn=warm.role("ScheduleRole"), RoleSessionName="test"
            )
