"""What the template asks of AWS: above all what only AWS itself does with it, so that no other test
would miss it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from templates import ACCOUNT, CONNECTOR, KEY, Stack, read, stint

FUNCTIONS = {
    "SlackIngress": "slack-ingress",
    "Approval": "approval",
    "Escalation": "escalation",
    "Deescalation": "deescalation",
}
LOGS = {"ApiLog", "SlackIngressLog", "ApprovalLog", "EscalationLog", "DeescalationLog"}
QUEUES = {
    "ApprovalFailed",
    "ApprovalLost",
    "EscalationFailed",
    "DeescalationFailed",
    "ScheduleFailed",
}
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:ours"

PLAIN = Stack(stint())
WITH_KEY = Stack(stint(), KmsKeyArn=KEY, AlarmEmail="ops@example.com")


def connector(**parameters: Any) -> Stack:
    """The connector's stack."""
    given = {"Runtime": "stint", "TrustedRoleArns": ["a"], "ExternalId": "an-id", **parameters}
    return Stack(read(CONNECTOR), **given)


# The record.


def test_the_table_outlives_mistakes_and_the_stack() -> None:
    table = PLAIN.resources["Table"]

    assert table["DeletionPolicy"] == "Retain"
    assert table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    recovery = table["Properties"]["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_the_table_is_paid_by_use_encrypted_and_forgets_old_requests() -> None:
    table = PLAIN.properties("Table")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "purge_at", "Enabled": True}


def test_the_index_of_what_is_due_holds_keys_alone() -> None:
    indexes = {it["IndexName"]: it for it in PLAIN.properties("Table")["GlobalSecondaryIndexes"]}

    assert indexes["due"]["Projection"] == {"ProjectionType": "KEYS_ONLY"}


# A key of one's own.


def test_a_key_of_ones_own_is_used_for_everything_that_is_stored() -> None:
    keys: dict[str, Callable[[Any], str]] = {
        "AWS::DynamoDB::Table": lambda it: it["SSESpecification"]["KMSMasterKeyId"],
        "AWS::Lambda::Function": lambda it: it["KmsKeyArn"],
        "AWS::Logs::LogGroup": lambda it: it["KmsKeyId"],
        "AWS::SecretsManager::Secret": lambda it: it["KmsKeyId"],
        "AWS::SNS::Topic": lambda it: it["KmsMasterKeyId"],
        "AWS::SQS::Queue": lambda it: it["KmsMasterKeyId"],
    }
    for kind, key in keys.items():
        found = WITH_KEY.of_type(kind)
        assert found, f"there is no {kind}"
        for name, properties in found.items():
            assert key(properties) == KEY, f"{name} is encrypted with something else"
    assert WITH_KEY.properties("Connector")["Parameters"]["KmsKeyArn"] == KEY
    assert connector(KmsKeyArn=KEY).properties("OktaSecret")["KmsKeyId"] == KEY


def test_without_one_keys_of_aws_are_used() -> None:
    assert KEY.split(":key/")[0] not in json.dumps(PLAIN.resources)
    for name, queue in PLAIN.of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
    for queue in WITH_KEY.of_type("AWS::SQS::Queue").values():
        assert "SqsManagedSseEnabled" not in queue


# The way in.


def test_there_is_one_way_in_and_it_is_throttled() -> None:
    [route] = PLAIN.of_type("AWS::ApiGatewayV2::Route").values()
    [stage] = PLAIN.of_type("AWS::ApiGatewayV2::Stage").values()

    assert route["RouteKey"] == "POST /slack/events"
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 50,
        "ThrottlingBurstLimit": 100,
    }
    assert not PLAIN.of_type("AWS::Lambda::Url")


def test_the_access_log_says_who_called_and_nothing_of_what_they_said() -> None:
    log = PLAIN.properties("ApiStage")["AccessLogSettings"]

    assert log["DestinationArn"] == "${ApiLog.Arn}"
    assert set(json.loads(log["Format"]).values()) == {
        "$context.requestTime",
        "$context.requestId",
        "$context.identity.sourceIp",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
    }


# The functions.


def test_logs_are_kept_as_long_as_was_asked() -> None:
    assert PLAIN.of_type("AWS::Logs::LogGroup").keys() == LOGS
    for log in PLAIN.of_type("AWS::Logs::LogGroup").values():
        assert log["RetentionInDays"] == 365
    for log in Stack(stint(), LogRetentionDays="30").of_type("AWS::Logs::LogGroup").values():
        assert log["RetentionInDays"] == "30"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_its_own_log_at_a_level_that_lets_metrics_through(
    function: str,
) -> None:
    properties = PLAIN.properties(function)

    assert properties["FunctionName"] == f"stint-{FUNCTIONS[function]}"
    assert properties["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": "${" + function + "Log}",
    }


def test_copies_are_capped_only_where_asked_and_only_of_what_calls_okta() -> None:
    capped = Stack(stint(), OktaConcurrency="10")

    for function in FUNCTIONS:
        assert "ReservedConcurrentExecutions" not in PLAIN.properties(function)
    for function in ("Escalation", "Deescalation"):
        assert capped.properties(function)["ReservedConcurrentExecutions"] == "10"
    for function in ("SlackIngress", "Approval"):
        assert "ReservedConcurrentExecutions" not in capped.properties(function)


@pytest.mark.parametrize("function", ["Approval", "Escalation", "Deescalation"])
def test_an_event_is_tried_three_times_within_five_minutes_and_then_kept(function: str) -> None:
    config = PLAIN.properties(f"{function}EventInvokeConfig")

    assert config["FunctionName"] == "${" + function + "}"
    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 300
    on_failure = config["DestinationConfig"]["OnFailure"]
    assert on_failure["Destination"] == "${" + function + "Failed.Arn}"


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_one_parameter_chooses_the_processor(architecture: str) -> None:
    stack = Stack(stint(), Architecture=architecture)

    for function in FUNCTIONS:
        assert stack.properties(function)["Architectures"] == [architecture]
        assert stack.properties(function)["Runtime"] == "provided.al2023"


def test_functions_have_the_variables_that_they_need_and_no_more() -> None:
    okta = {
        "STINT_OKTA_SECRET",
        "STINT_OKTA_SECRET_KEY",
        "STINT_CONNECTOR_ROLE_ARN",
        "STINT_CONNECTOR_EXTERNAL_ID",
        "STINT_TABLE",
    }
    schedules = {"STINT_SCHEDULE_GROUP"}
    expected = {
        "SlackIngress": {"STINT_APPROVAL"},
        "Approval": {*okta, "STINT_APPROVAL", "STINT_ESCALATION", "STINT_DEESCALATION"},
        "Escalation": {
            *okta,
            *schedules,
            "STINT_SCHEDULE_ROLE_ARN",
            "STINT_SCHEDULE_DLQ_ARN",
            "STINT_APPROVAL",
            "STINT_DEESCALATION",
        },
        "Deescalation": {*okta, *schedules, "STINT_APPROVAL", "STINT_ESCALATION"},
    }
    for function, names in expected.items():
        variables = PLAIN.properties(function)["Environment"]["Variables"]
        assert variables.keys() == {*names, "STINT_SLACK_SECRET", "STINT_OKTA_ORG"}


def test_what_a_function_hands_on_reaches_the_function_of_that_name() -> None:
    # Names that are put together, so that functions which wake each other do not wait for each other.
    called = {f"STINT_{name.upper()}": f"stint-{name}" for name in FUNCTIONS.values()}
    for function in FUNCTIONS:
        variables = PLAIN.properties(function)["Environment"]["Variables"]
        for variable in called.keys() & variables.keys():
            named = variables[variable].rsplit(":", 1)[-1]
            assert named in (called[variable], "${Approval}"), f"{variable} of {function}"


def test_the_flows_of_an_environment_are_in_its_folder_of_the_layer() -> None:
    chosen = Stack(stint(), FlowsFolder="staging")

    for function in ("SlackIngress", "Approval"):
        variables = chosen.properties(function)["Environment"]["Variables"]
        assert variables["STINT_FLOWS_DIR"] == "/opt/staging"
        assert len(chosen.properties(function)["Layers"]) == 1
    for function in ("Escalation", "Deescalation"):
        assert "Layers" not in chosen.properties(function)


# What fails.


def test_messages_are_kept_for_two_weeks() -> None:
    assert PLAIN.of_type("AWS::SQS::Queue").keys() == QUEUES
    for queue in PLAIN.of_type("AWS::SQS::Queue").values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_approval_reads_what_it_failed_at_one_click_at_a_time() -> None:
    [mapping] = PLAIN.of_type("AWS::Lambda::EventSourceMapping").values()
    queue = PLAIN.properties("ApprovalFailed")

    assert mapping["FunctionName"] == "${Approval}"
    assert mapping["EventSourceArn"] == "${ApprovalFailed.Arn}"
    assert mapping["BatchSize"] == 1
    assert queue["VisibilityTimeout"] >= 6 * PLAIN.properties("Approval")["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "${ApprovalLost.Arn}"


def test_the_sweep_runs_every_minute_and_a_lost_one_is_reported() -> None:
    assert_woken_regularly("DeescalationSweep", "rate(1 minute)", {"v": 1, "sweep": True})


def test_okta_is_compared_with_the_ledger_every_quarter_of_an_hour() -> None:
    expected = {"v": 1, "drift": True}
    assert_woken_regularly("DeescalationDrift", "rate(15 minutes)", expected)


def assert_woken_regularly(name: str, rate: str, event: dict[str, object]) -> None:
    schedules = PLAIN.of_type("AWS::Scheduler::Schedule")
    assert schedules.keys() == {"DeescalationSweep", "DeescalationDrift"}
    schedule = schedules[name]
    assert schedule["ScheduleExpression"] == rate
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["GroupName"] == "${Schedules}"
    target = schedule["Target"]
    assert json.loads(target["Input"]) == event
    assert target["RoleArn"] == "${ScheduleRole.Arn}"
    assert target["DeadLetterConfig"] == {"Arn": "${ScheduleFailed.Arn}"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


def test_the_schedules_of_grants_report_to_the_same_queue() -> None:
    variables = PLAIN.properties("Escalation")["Environment"]["Variables"]

    assert variables["STINT_SCHEDULE_DLQ_ARN"] == "${ScheduleFailed.Arn}"


# Who is told.

DIMENSIONS = {
    "Stint": "function",
    "AWS/SQS": "QueueName",
    "AWS/ApiGateway": "ApiId",
    "AWS/Lambda": "FunctionName",
}
ALARMS = {
    ("Stint", "OverdueSeconds", "stint-deescalation"),
    ("Stint", "DriftFound", "stint-deescalation"),
    ("AWS/SQS", "NumberOfMessagesSent", "${ApprovalFailed.QueueName}"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "${ApprovalLost.QueueName}"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "${EscalationFailed.QueueName}"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "${DeescalationFailed.QueueName}"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "${ScheduleFailed.QueueName}"),
    ("AWS/ApiGateway", "5xx", "${Api}"),
    *(("AWS/Lambda", "Errors", "${" + function + "}") for function in FUNCTIONS),
    *(
        ("Stint", "OktaSignInFailed", f"stint-{name}")
        for name in ("approval", "escalation", "deescalation")
    ),
    *(("Stint", "ErrorChannelFailed", f"stint-{name}") for name in ("approval", "deescalation")),
}
# Where what goes wrong is reported less often than every minute, the alarm must not come and go.
PERIODS = {"DriftAlarm": 1800, "ApprovalErrorChannel": 600, "DeescalationErrorChannel": 600}


def test_there_is_an_alarm_for_everything_that_can_go_wrong() -> None:
    found = set()
    for alarm in PLAIN.of_type("AWS::CloudWatch::Alarm").values():
        [dimension] = alarm["Dimensions"]
        found.add((alarm["Namespace"], alarm["MetricName"], dimension["Value"]))
        assert dimension["Name"] == DIMENSIONS[alarm["Namespace"]]
        assert alarm["AlarmDescription"]

    assert found == ALARMS


def test_one_of_anything_raises_its_alarm_and_silence_only_that_of_the_sweep() -> None:
    for name, alarm in PLAIN.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["EvaluationPeriods"] == 1
        if name == "OverdueAlarm":
            assert (alarm["Threshold"], alarm["Period"]) == (90, 180)
            assert alarm["TreatMissingData"] == "breaching"
        else:
            assert (alarm["Threshold"], alarm["Period"]) == (0, PERIODS.get(name, 60))
            assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, []),
        ({"AlarmEmail": "ops@example.com"}, ["${AlarmTopic}"]),
        ({"AlarmTopicArn": TOPIC}, [TOPIC]),
        ({"AlarmEmail": "ops@example.com", "AlarmTopicArn": TOPIC}, [TOPIC, "${AlarmTopic}"]),
    ],
)
def test_alarms_go_by_mail_to_a_topic_to_both_or_nowhere(
    given: dict[str, str], told: list[str]
) -> None:
    stack = Stack(stint(), **given)

    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == told
    subscriptions = [it["Subscription"] for it in stack.of_type("AWS::SNS::Topic").values()]
    mailed = [[{"Protocol": "email", "Endpoint": "ops@example.com"}]]
    assert subscriptions == (mailed if "AlarmEmail" in given else [])


def test_the_dashboard_shows_metrics_that_exist() -> None:
    [dashboard] = PLAIN.of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]

    shown = set()
    for widget in widgets:
        properties = widget["properties"]
        assert properties["region"] == "us-east-1"
        before: list[str] = []
        for metric in properties["metrics"]:
            words = [it for it in metric if isinstance(it, str)]
            # As CloudWatch reads it: `...` stands for the beginning of the metric before.
            if words[0] == "...":
                words = before[: len(before) - len(words) + 1] + words[1:]
            before = words
            shown.add((words[0], words[1], words[3]))
    alarmed = {
        (namespace, metric, name) for namespace, metric, name in ALARMS if namespace != "AWS/Lambda"
    }
    assert alarmed <= shown
    names = {f"stint-{name}" for name in FUNCTIONS.values()}
    assert {name for namespace, _, name in shown if namespace == "AWS/Lambda"} == names


# Secrets, and what a person reads when it is deployed.


def test_the_secrets_are_made_empty_and_the_connectors_carries_its_tag() -> None:
    slack = PLAIN.properties("SlackSecret")
    okta = connector().properties("OktaSecret")

    assert slack["Name"] == "/stint/stint/slack"
    assert okta["Name"] == "/stint/stint/okta"
    assert okta["Tags"] == [{"Key": "StintRuntime", "Value": "stint"}]
    # The connector could read the Slack secret if it carried the tag.
    assert "Tags" not in slack
    for secret in (slack, okta):
        assert not {"SecretString", "GenerateSecretString"} & secret.keys()


def test_secrets_that_exist_are_used_where_they_are() -> None:
    stack = Stack(
        stint(),
        SlackSecretName="team/slack",
        OktaSecretName="/symops.com/shared",
        OktaSecretTagKey="SymEnv",
        OktaSecretTagValue="shared",
    )

    assert not stack.of_type("AWS::SecretsManager::Secret")
    assert stack.outputs["SlackSecretName"] == "team/slack"
    assert stack.outputs["OktaSecretName"] == "/symops.com/shared"
    nested = stack.properties("Connector")["Parameters"]
    assert nested["OktaSecretName"] == "/symops.com/shared"
    assert (nested["SecretTagKey"], nested["SecretTagValue"]) == ("SymEnv", "shared")
    variables = stack.properties("Approval")["Environment"]["Variables"]
    assert variables["STINT_SLACK_SECRET"] == "team/slack"
    assert variables["STINT_OKTA_SECRET"] == "/symops.com/shared"
    assert variables["STINT_OKTA_SECRET_KEY"] == "okta_api_token"
    assert "OktaSecret" not in connector(OktaSecretName="/symops.com/shared").resources


def test_the_main_stack_gives_the_connector_every_parameter_that_it_has() -> None:
    assert (
        PLAIN.properties("Connector")["Parameters"].keys() == read(CONNECTOR)["Parameters"].keys()
    )


def test_the_outputs_say_what_to_do_next() -> None:
    assert PLAIN.outputs == {
        "SlackRequestUrl": "${Api.ApiEndpoint}/slack/events",
        "SlackSecretName": "/stint/stint/slack",
        "OktaSecretName": "/stint/stint/okta",
        "RuntimeConnectorRoleArn": "${Connector.Outputs.RoleArn}",
        "RuntimeConnectorExternalId": "the-stacks-own-id",
        "TrustedRoleArns": "${ApprovalRole.Arn},${EscalationRole.Arn},${DeescalationRole.Arn}",
        "TableName": "${Table}",
    }
    assert connector().outputs == {
        "RoleArn": "${ConnectorRole.Arn}",
        "SecretName": "/stint/stint/okta",
        "ExternalId": "an-id",
    }


def test_every_parameter_is_in_a_group_of_the_console() -> None:
    template = stint()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(template["Parameters"])
