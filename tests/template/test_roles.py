"""What each role may do: exactly this, by default and with a key of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from templates import ACCOUNT, CONNECTOR, KEY, Stack, policies, read, stint

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:stint"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:"
SCHEDULES = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/${{Schedules}}/*"

LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
ITEMS = [
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
]

# Role, statement, actions, what they may be done to.
ALLOWED: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "SlackIngressRole": {
        "WriteOwnLog": (LOG, ["${SlackIngressLog.Arn}"]),
        "ReadSlackSecret": (["secretsmanager:GetSecretValue"], ["${SlackSecret.Id}"]),
        "HandOn": (["lambda:InvokeFunction"], ["${Approval.Arn}"]),
    },
    "ApprovalRole": {
        "WriteOwnLog": (LOG, ["${ApprovalLog.Arn}"]),
        "ReadSlackSecret": (["secretsmanager:GetSecretValue"], ["${SlackSecret.Id}"]),
        "Table": (ITEMS, ["${Table.Arn}"]),
        "FindOpen": (["dynamodb:Query"], ["${Table.Arn}/index/open"]),
        "FindAsked": (["dynamodb:Query"], ["${Table.Arn}/index/person"]),
        "HandOn": (
            ["lambda:InvokeFunction"],
            [f"{FUNCTION}-deescalation", f"{FUNCTION}-escalation"],
        ),
        "RedrawHomes": (["lambda:InvokeFunction"], [f"{FUNCTION}-approval"]),
        "KeepWhatFailed": (["sqs:SendMessage"], ["${ApprovalFailed.Arn}"]),
        "TellOfWhatFailed": (
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ["${ApprovalFailed.Arn}"],
        ),
    },
    "EscalationRole": {
        "WriteOwnLog": (LOG, ["${EscalationLog.Arn}"]),
        "ReadSlackSecret": (["secretsmanager:GetSecretValue"], ["${SlackSecret.Id}"]),
        "Table": (ITEMS, ["${Table.Arn}"]),
        "FindHomes": (["dynamodb:Query"], ["${Table.Arn}/index/open"]),
        "CreateSchedules": (["scheduler:CreateSchedule"], [SCHEDULES]),
        "GiveSchedulesTheirRole": (["iam:PassRole"], ["${ScheduleRole.Arn}"]),
        "RedrawHomes": (["lambda:InvokeFunction"], [f"{FUNCTION}-approval"]),
        "KeepWhatFailed": (["sqs:SendMessage"], ["${EscalationFailed.Arn}"]),
    },
    "DeescalationRole": {
        "WriteOwnLog": (LOG, ["${DeescalationLog.Arn}"]),
        "ReadSlackSecret": (["secretsmanager:GetSecretValue"], ["${SlackSecret.Id}"]),
        "Table": (ITEMS, ["${Table.Arn}"]),
        "FindDue": (["dynamodb:Query"], ["${Table.Arn}/index/due"]),
        "FindHomes": (["dynamodb:Query"], ["${Table.Arn}/index/open"]),
        "DeleteSchedules": (["scheduler:DeleteSchedule"], [SCHEDULES]),
        "HandOn": (["lambda:InvokeFunction"], [f"{FUNCTION}-escalation"]),
        "RedrawHomes": (["lambda:InvokeFunction"], [f"{FUNCTION}-approval"]),
        "KeepWhatFailed": (["sqs:SendMessage"], ["${DeescalationFailed.Arn}"]),
    },
    "ScheduleRole": {
        "WakeDeescalation": (["lambda:InvokeFunction"], [f"{FUNCTION}-deescalation"]),
        "KeepWhatFailed": (["sqs:SendMessage"], ["${ScheduleFailed.Arn}"]),
    },
}

# Where AWS offers nothing narrower: schedules and secrets have names that are not known beforehand.
WILDCARDS = {
    SCHEDULES: "a schedule is named after its request, in a group that is the stack's own",
    f"{SECRET}/stint/stint/*": "a secret's ARN ends at random; the tag is asked for too",
    f"{SECRET}mine-??????": "a secret's ARN ends in six characters at random",
}

# Which services may use the key for each role, and what for.
BOTH = ["kms:Decrypt", "kms:GenerateDataKey"]
USES_KEY = {
    "SlackIngressRole": (["kms:Decrypt"], ["secretsmanager"]),
    "ApprovalRole": (BOTH, ["dynamodb", "secretsmanager", "sqs"]),
    "EscalationRole": (BOTH, ["dynamodb", "secretsmanager", "sqs"]),
    "DeescalationRole": (BOTH, ["dynamodb", "secretsmanager", "sqs"]),
    "ScheduleRole": (BOTH, ["sqs"]),
}


def listed(value: Any) -> list[str]:
    """One or several, as a sorted list."""
    return sorted([value] if isinstance(value, str) else value)


def connector(**parameters: Any) -> Stack:
    """The connector's stack, as the main one makes it."""
    given = {
        "Runtime": "stint",
        "TrustedRoleArns": ["a", "b", "c"],
        "ExternalId": "the-stacks-own-id",
    }
    return Stack(read(CONNECTOR), "connector", **{**given, **parameters})


def statements(stack: Stack) -> list[tuple[str, Any]]:
    """Every statement of every policy, trust included, with the name of its resource."""
    found = []
    for name, role in stack.of_type("AWS::IAM::Role").items():
        found += [(name, it) for it in role["AssumeRolePolicyDocument"]["Statement"]]
        found += [(name, it) for listed in policies(role).values() for it in listed]
    for name, policy in stack.of_type("AWS::IAM::Policy").items():
        found += [(name, it) for it in policy["PolicyDocument"]["Statement"]]
    return found


EVERY_STACK = [
    Stack(stint()),
    Stack(stint(), KmsKeyArn=KEY, SlackSecretName="mine"),
    connector(),
    connector(KmsKeyArn=KEY, OktaSecretName="mine"),
]


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_this_and_nothing_else(role: str) -> None:
    [listed_statements] = policies(Stack(stint()).properties(role)).values()

    found = {it["Sid"]: (listed(it["Action"]), listed(it["Resource"])) for it in listed_statements}

    assert found == ALLOWED[role]
    assert len(found) == len(listed_statements), "two statements have the same Sid"


def test_there_are_no_other_roles_and_policies() -> None:
    stack = Stack(stint())

    assert stack.of_type("AWS::IAM::Role").keys() == ALLOWED.keys()
    assert list(stack.of_type("AWS::IAM::Policy")) == ["AssumeConnector"]
    assert not stack.of_type("AWS::IAM::ManagedPolicy")
    for role in stack.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role


@pytest.mark.parametrize("function", ["SlackIngress", "Approval", "Escalation", "Deescalation"])
def test_a_function_has_its_own_role(function: str) -> None:
    assert Stack(stint()).properties(function)["Role"] == "${" + function + "Role.Arn}"


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_statements_have_names_and_no_wildcards(stack: Stack) -> None:
    for role, statement in statements(stack):
        assert statement["Effect"] == "Allow"
        assert statement["Sid"], f"a statement of {role} has no Sid"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{role} may do {action}"
        for resource in listed(statement.get("Resource", [])):
            if "*" in resource or "?" in resource:
                assert resource in WILDCARDS, f"{role} may do it to {resource}"
        assert statement.get("Principal") != "*"


def test_only_three_functions_may_assume_the_connector() -> None:
    policy = Stack(stint()).properties("AssumeConnector")

    assert policy["Roles"] == ["${ApprovalRole}", "${EscalationRole}", "${DeescalationRole}"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Resource"] == "${Connector.Outputs.RoleArn}"


def test_a_connector_elsewhere_is_the_only_one_that_may_be_assumed() -> None:
    role = "arn:aws:iam::444455556666:role/connector"
    stack = Stack(stint(), RuntimeConnectorRoleArn=role, RuntimeConnectorExternalId="theirs")

    [statement] = stack.properties("AssumeConnector")["PolicyDocument"]["Statement"]
    assert statement["Resource"] == role
    assert "Connector" not in stack.resources
    variables = stack.properties("Escalation")["Environment"]["Variables"]
    assert variables["STINT_CONNECTOR_ROLE_ARN"] == role
    assert variables["STINT_CONNECTOR_EXTERNAL_ID"] == "theirs"
    assert stack.outputs["RuntimeConnectorRoleArn"] == role


def test_functions_and_schedules_are_run_by_their_service_alone() -> None:
    for name, role in Stack(stint()).of_type("AWS::IAM::Role").items():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        if name == "ScheduleRole":
            assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
            assert statement["Condition"] == {
                "StringEquals": {
                    "aws:SourceAccount": ACCOUNT,
                    "aws:SourceArn": "${Schedules.Arn}",
                }
            }
        else:
            assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_the_schedules_role_is_passed_to_the_scheduler_alone() -> None:
    [found] = policies(Stack(stint()).properties("EscalationRole")).values()
    [statement] = [it for it in found if it["Sid"] == "GiveSchedulesTheirRole"]

    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}
    }


def test_the_api_may_invoke_slack_ingress_by_its_route_alone() -> None:
    [permission] = Stack(stint()).of_type("AWS::Lambda::Permission").values()

    assert permission["FunctionName"] == "${SlackIngress}"
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"].endswith(":${Api}/$default/POST/slack/events")


@pytest.mark.parametrize("role", USES_KEY)
def test_a_role_uses_a_key_of_ones_own_for_what_it_may_do_anyway(role: str) -> None:
    [found] = policies(Stack(stint(), KmsKeyArn=KEY).properties(role)).values()
    [statement] = [it for it in found if it["Sid"] == "UseKey"]

    actions, services = USES_KEY[role]
    assert listed(statement["Action"]) == actions
    assert statement["Resource"] == KEY
    [(operator, condition)] = statement["Condition"].items()
    assert operator == "StringEquals"
    through = [f"{service}.us-east-1.amazonaws.com" for service in services]
    assert listed(condition["kms:ViaService"]) == through


def test_the_connector_trusts_the_three_roles_with_the_stacks_own_id() -> None:
    nested = Stack(stint()).properties("Connector")["Parameters"]
    assert nested["TrustedRoleArns"] == (
        "${ApprovalRole.Arn},${EscalationRole.Arn},${DeescalationRole.Arn}"
    )
    assert nested["ExternalId"] == "the-stacks-own-id"

    role = connector().properties("ConnectorRole")
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": ["a", "b", "c"]}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "the-stacks-own-id"}}


@pytest.mark.parametrize(
    ("given", "resource", "tag"),
    [
        ({}, "/stint/stint/*", {"aws:ResourceTag/StintRuntime": "stint"}),
        (
            {
                "OktaSecretName": "mine",
                "SecretTagKey": "SymEnv",
                "SecretTagValue": "shared",
            },
            "mine-??????",
            {"aws:ResourceTag/SymEnv": "shared"},
        ),
    ],
)
def test_the_connector_reads_tagged_secrets_alone(
    given: dict[str, str], resource: str, tag: dict[str, str]
) -> None:
    found = policies(connector(**given).properties("ConnectorRole"))

    assert found == {
        "read-okta-secret": [
            {
                "Sid": "ReadTaggedOktaSecret",
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": SECRET + resource,
                "Condition": {"StringEquals": tag},
            }
        ]
    }


def test_the_connector_decrypts_secrets_alone_with_a_key_of_ones_own() -> None:
    [statement] = policies(connector(KmsKeyArn=KEY).properties("ConnectorRole"))["use-key"]

    assert statement["Action"] == "kms:Decrypt"
    assert statement["Resource"] == KEY
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    }


@pytest.mark.parametrize("stack", [Stack(stint()), connector()])
def test_no_role_has_a_name_that_asks_for_a_stronger_capability(stack: Stack) -> None:
    for kind, key in [("Role", "RoleName"), ("ManagedPolicy", "ManagedPolicyName")]:
        for properties in stack.of_type(f"AWS::IAM::{kind}").values():
            assert key not in properties
