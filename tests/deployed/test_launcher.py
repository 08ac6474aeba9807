"""Each correction of the launcher: it makes MiniStack do what AWS does, and without it MiniStack does not.

Every scenario runs twice: against a MiniStack with all corrections, where it must hold, and against one
without the correction of its name, where it must not.
"""

from __future__ import annotations

import io
import json
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from launcher import CORRECTIONS
from machine import ACCOUNT, REGION, Machine, refused, wait_until

# A function that fails on {"fail"}, lists its flows on {"list"}, refuses to let a custom resource be
# deleted, and otherwise says that it ran.
BOOTSTRAP = f"""#!{sys.executable}
import json, os, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"

def send(method, url, body):
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(url, data=data, method=method)).read()

while True:
    with urllib.request.urlopen(API + "next") as got:
        event, request = json.load(got), got.headers["Lambda-Runtime-Aws-Request-Id"]
    if "ResponseURL" in event:
        keys = ("StackId", "RequestId", "LogicalResourceId")
        answer = {{key: event[key] for key in keys}}
        refused = event["RequestType"] == "Delete"
        answer["Status"] = "FAILED" if refused else "SUCCESS"
        answer.update(Reason="somebody is held in", PhysicalResourceId="guard")
        send("PUT", event["ResponseURL"], answer)
    if "fail" in event:
        print("it failed with", os.environ.get("VALUE"), flush=True)
        send("POST", API + request + "/error", {{"errorType": "Broken", "errorMessage": "it fails"}})
    elif "list" in event:
        folder = os.environ.get("STINT_FLOWS_DIR", "/opt")
        found = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        send("POST", API + request + "/response", found)
    else:
        print("it ran on", json.dumps(event), flush=True)
        send("POST", API + request + "/response", {{"statusCode": 200, "body": "it ran"}})
"""

Scenario = Callable[["Aws"], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(test: Scenario) -> Scenario:
    """Marks the scenario of the correction of the same name."""
    SCENARIOS[test.__name__.replace("_", "-")] = test
    return test


def allow(resource: str, *actions: str, **condition: Any) -> dict[str, Any]:
    """A statement that allows."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def document(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def zipped(**files: str) -> bytes:
    """A zip of executable files; `__` in a name stands for a slash, `_` for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name.replace("__", "/").replace("_", "."))
            info.external_attr = 0o755 << 16
            archive.writestr(info, content)
    return packed.getvalue()


class Aws:
    """What the scenarios build on one machine. Every name is a new one."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.client = machine.client

    def name(self) -> str:
        """A name that nothing has."""
        return f"n{uuid.uuid4().hex[:10]}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this account and region."""
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

    def role(self, service: str, *statements: dict[str, Any], **condition: Any) -> str:
        """A role that an AWS service may assume; its ARN."""
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
        trust = {**trust, "Condition": condition} if condition else trust
        iam, name = self.client("iam"), self.name()
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        self.set_policy(made["Role"]["Arn"], *statements)
        return str(made["Role"]["Arn"])

    def set_policy(self, role: str, *statements: dict[str, Any]) -> None:
        """Makes these statements all that a role may do."""
        iam, name = self.client("iam"), role.rsplit("/", 1)[-1]
        if statements:
            text = document(*statements)
            iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=text)
        elif iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName="policy")

    def user(self, *statements: dict[str, Any]) -> dict[str, str]:
        """A person who may do what these statements say; their credentials."""
        iam, name = self.client("iam"), self.name()
        iam.create_user(UserName=name)
        text = document(*statements)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=text)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }

    def function(self, role: str, variables: dict[str, str] | None = None, **more: Any) -> str:
        """A function that works with `role`; its name."""
        name = self.name()
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=role,
            Timeout=10,
            Code={"ZipFile": zipped(bootstrap=BOOTSTRAP)},
            Environment={"Variables": variables or {}},
            **more,
        )
        self.client("lambda").get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1}
        )
        return name

    def invoke(self, function: str, event: Any, how: str = "RequestResponse") -> Any:
        """Invokes a function; its answer, or None when it could not run."""
        done = self.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event), InvocationType=how
        )
        failed = "FunctionError" in done or how == "Event"
        return None if failed else json.loads(done["Payload"].read())

    def queue(self, **attributes: str) -> tuple[str, str]:
        """A queue; its URL and ARN."""
        name = self.name()
        made = self.client("sqs").create_queue(QueueName=name, Attributes=attributes)
        return made["QueueUrl"], self.arn("sqs", name)

    def waiting(self, queue: str) -> int:
        """How many messages a queue has, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def ran(self, function: str, text: str = "it ran on") -> int:
        """How often a function ran, or printed something else, as its log has it."""
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return 0
        return sum(event["message"].startswith(text) for event in found)

    def said(self, text: str) -> bool:
        """Whether the launcher said that it refused something."""
        return f"launcher: {text}" in self.machine.process.output(1_000_000)

    def stack(self, template: dict[str, Any], name: str | None = None, **parameters: str) -> str:
        """Makes or updates a stack; its name."""
        formation = self.client("cloudformation")
        given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        wanted: dict[str, Any] = {"TemplateBody": json.dumps(template), "Parameters": given}
        wanted["Capabilities"] = ["CAPABILITY_IAM"]
        if name is None:
            name = self.name()
            formation.create_stack(StackName=name, **wanted)
        else:
            formation.update_stack(StackName=name, **wanted)
        status = self.settled(name)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = formation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [e["ResourceStatusReason"] for e in events if "ResourceStatusReason" in e]
            raise AssertionError(f"{name} is {status}: {reasons}")
        return name

    def settled(self, stack: str) -> str:
        """Waits until nothing is under way in a stack; its state."""
        formation = self.client("cloudformation")

        def status() -> str | None:
            found = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            return None if found.endswith("IN_PROGRESS") else found

        return str(wait_until(f"{stack} has settled", status))


@pytest.fixture(scope="module")
def corrected() -> Iterator[Aws]:
    """A MiniStack with all corrections."""
    with Machine() as machine:
        yield Aws(machine)


def test_every_correction_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(CORRECTIONS)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_it_does_what_aws_does(corrected: Aws, name: str) -> None:
    SCENARIOS[name](corrected)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_it_would_not_without_the_correction(name: str) -> None:
    with Machine(without=[name]) as machine:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            SCENARIOS[name](Aws(machine))


@scenario
def function_trust(aws: Aws) -> None:
    trusted, other = aws.role("lambda.amazonaws.com"), aws.role("ec2.amazonaws.com")
    assert aws.invoke(aws.function(trusted), {})
    assert aws.invoke(aws.function(other), {}) is None


@scenario
def function_of_now(aws: Aws) -> None:
    logs = allow(aws.arn("logs", "log-group:*"), "logs:CreateLogStream", "logs:PutLogEvents")
    function = aws.function(aws.role("lambda.amazonaws.com", logs), {"VALUE": "old"})
    aws.invoke(function, {"fail": 1}, "Event")
    wait_until("it failed once", lambda: aws.ran(function, "it failed with old") == 1)
    aws.client("lambda").update_function_configuration(
        FunctionName=function, Environment={"Variables": {"VALUE": "new"}}
    )
    wait_until("it failed again", lambda: aws.ran(function, "it failed") > 1)
    assert aws.ran(function, "it failed with new")


@scenario
def layers(aws: Aws) -> None:
    content = zipped(flows_toml="", staging__flows_toml="", staging__policy_cedar="")
    layer = aws.client("lambda").publish_layer_version(
        LayerName=aws.name(), Content={"ZipFile": content}
    )["LayerVersionArn"]
    role = aws.role("lambda.amazonaws.com")
    plain = aws.function(role, Layers=[layer])
    assert aws.invoke(plain, {"list": True}) == ["flows.toml", "staging"]
    staging = aws.function(role, {"STINT_FLOWS_DIR": "/opt/staging"}, Layers=[layer])
    assert aws.invoke(staging, {"list": True}) == ["flows.toml", "policy.cedar"]


@scenario
def log_writes(aws: Aws) -> None:
    everywhere = aws.arn("logs", "log-group:*")
    writes = allow(everywhere, "logs:CreateLogStream", "logs:PutLogEvents")
    may = aws.function(aws.role("lambda.amazonaws.com", writes))
    half = allow(everywhere, "logs:CreateLogStream")
    may_not = aws.function(aws.role("lambda.amazonaws.com", half))
    assert aws.invoke(may, {}) and aws.invoke(may_not, {})
    assert aws.ran(may) == 1
    assert aws.ran(may_not) == 0


@scenario
def failure_destinations(aws: Aws) -> None:
    url, queue = aws.queue()
    role = aws.role("lambda.amazonaws.com")
    function = aws.function(role)
    destination = {
        "FunctionName": function,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": queue}},
    }
    with refused("InvalidParameterValueException"):
        aws.client("lambda").put_function_event_invoke_config(**destination)
    aws.set_policy(role, allow(queue, "sqs:SendMessage"))
    aws.client("lambda").put_function_event_invoke_config(**destination)
    aws.invoke(function, {"fail": 1}, "Event")
    wait_until("the failed event is in the queue", lambda: aws.waiting(url) == 1)
    aws.set_policy(role)
    aws.invoke(function, {"fail": 2}, "Event")
    lost = f"a failed event of {function} is lost"
    wait_until("the event has gone", lambda: aws.said(lost) or aws.waiting(url) > 1)
    assert aws.waiting(url) == 1


@scenario
def queue_polling(aws: Aws) -> None:
    url, queue = aws.queue(VisibilityTimeout="1")
    role = aws.role("lambda.amazonaws.com")
    function = aws.function(role)
    log = allow(aws.arn("logs", "log-group:*"), "logs:CreateLogStream", "logs:PutLogEvents")
    reads = allow(queue, "sqs:ReceiveMessage", "sqs:GetQueueAttributes")
    mapping = {"FunctionName": function, "EventSourceArn": queue}
    with refused("InvalidParameterValueException"):
        aws.client("lambda").create_event_source_mapping(**mapping)
    aws.set_policy(role, log, reads, allow(queue, "sqs:DeleteMessage"))
    aws.client("lambda").create_event_source_mapping(**mapping)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="one")
    wait_until("the message is read and deleted", lambda: aws.waiting(url) == 0)
    wait_until("the function ran", lambda: aws.ran(function) == 1)
    aws.set_policy(role, log, reads)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="two")
    # What cannot be deleted comes again.
    wait_until("the message came twice", lambda: aws.ran(function) >= 3, 8)
    assert aws.waiting(url) == 1
    aws.set_policy(role, log, allow(queue, "sqs:DeleteMessage"))
    ran = aws.ran(function)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="three")
    assert (aws.waiting(url), aws.ran(function)) == (2, ran)


@scenario
def api_permission(aws: Aws) -> None:
    function, gateway = aws.function(aws.role("lambda.amazonaws.com")), aws.client("apigatewayv2")
    api = gateway.create_api(Name=aws.name(), ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=aws.arn("lambda", f"function:{function}"),
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    gateway.create_route(
        ApiId=api, RouteKey="POST /slack/events", Target=f"integrations/{integration}"
    )
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)

    def call() -> int:
        host = f"{api}.execute-api.localhost:{aws.machine.port}"
        url = f"{aws.machine.url}/slack/events"
        return requests.post(url, data="{}", headers={"Host": host}, timeout=30).status_code

    def permit(route: str) -> None:
        aws.client("lambda").add_permission(
            FunctionName=function,
            StatementId=aws.name(),
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=aws.arn("execute-api", f"{api}/$default/{route}"),
        )

    assert call() == 500
    permit("POST/elsewhere")
    assert call() == 500
    permit("POST/slack/events")
    assert call() == 200


def schedule(aws: Aws, group: str, role: str, function: str, **target: Any) -> dict[str, Any]:
    """What makes a one-time schedule that is due now."""
    return {
        "Name": aws.name(),
        "GroupName": group,
        "ScheduleExpression": f"at({datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": function, "RoleArn": role, "Input": "{}", **target},
    }


def group(aws: Aws) -> str:
    """A schedule group."""
    name = aws.name()
    aws.client("scheduler").create_schedule_group(Name=name)
    return name


@scenario
def schedule_arns(aws: Aws) -> None:
    own, other, role = group(aws), group(aws), aws.role("scheduler.amazonaws.com")
    function = aws.arn("lambda", "function:none")
    person = aws.user(
        allow(aws.arn("scheduler", f"schedule/{own}/*"), "scheduler:*"),
        allow(role, "iam:PassRole"),
    )
    schedules = aws.client("scheduler", **person)
    made = schedule(aws, own, role, function)
    try:
        schedules.create_schedule(**made)
        schedules.delete_schedule(GroupName=own, Name=made["Name"])
    except ClientError as error:
        pytest.fail(f"not allowed in its own group: {error}")
    with refused("AccessDeniedException"):
        schedules.create_schedule(**schedule(aws, other, role, function))


@scenario
def schedule_pass_role(aws: Aws) -> None:
    own, function = group(aws), aws.arn("lambda", "function:none")
    role, other = aws.role("scheduler.amazonaws.com"), aws.role("scheduler.amazonaws.com")
    untrusting = aws.role("lambda.amazonaws.com")
    passed = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    person = aws.user(
        allow("*", "scheduler:*"),
        allow(role, "iam:PassRole", **passed),
        allow(untrusting, "iam:PassRole", **passed),
    )
    schedules = aws.client("scheduler", **person)
    schedules.create_schedule(**schedule(aws, own, role, function))
    with refused("AccessDeniedException"):
        schedules.create_schedule(**schedule(aws, own, other, function))
    with refused("ValidationException"):
        schedules.create_schedule(**schedule(aws, own, untrusting, function))


@scenario
def schedule_role(aws: Aws) -> None:
    own, (url, queue), (lost, failed) = group(aws), aws.queue(), aws.queue()
    logs = allow(aws.arn("logs", "log-group:*"), "logs:CreateLogStream", "logs:PutLogEvents")
    function = aws.function(
        aws.role("lambda.amazonaws.com", logs, allow(failed, "sqs:SendMessage"))
    )
    arn = aws.arn("lambda", f"function:{function}")
    trusting = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": aws.arn("scheduler", f"schedule-group/{own}")},
    }
    may_invoke = allow(arn, "lambda:InvokeFunction")
    may_send = allow(queue, "sqs:SendMessage")

    def fire(role: str, text: str = "{}") -> None:
        aws.client("scheduler").create_schedule(
            **schedule(aws, own, role, arn, Input=text, DeadLetterConfig={"Arn": queue})
        )

    # With the right, it invokes, and what fails goes where the function's failed events go.
    role = aws.role("scheduler.amazonaws.com", may_invoke, may_send, **trusting)
    fire(role)
    wait_until("the function ran", lambda: aws.ran(function) == 1)
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed}},
    )
    fire(role, '{"fail": 1}')
    wait_until("the failed event is in its queue", lambda: aws.waiting(lost) == 1, 8)
    # Without it, the event is in the schedule's dead-letter queue, if the role may send there.
    aws.set_policy(role, may_send)
    fire(role)
    wait_until("the event is in the dead-letter queue", lambda: aws.waiting(url) == 1)
    aws.set_policy(role)
    refusals = "may not invoke"
    before = aws.machine.process.output(1_000_000).count(refusals)
    fire(role)
    wait_until(
        "the event is refused",
        lambda: aws.machine.process.output(1_000_000).count(refusals) > before,
    )
    assert (aws.waiting(url), aws.ran(function)) == (1, 1)
    # A role that trusts another group's schedules is refused at once.
    trusting["ArnEquals"] = {"aws:SourceArn": aws.arn("scheduler", "schedule-group/other")}
    with refused("ValidationException"):
        fire(aws.role("scheduler.amazonaws.com", may_invoke, **trusting))


@scenario
def empty_secrets(aws: Aws) -> None:
    name = aws.name()
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name}}
    aws.stack({"Resources": {"Secret": secret}})
    secrets = aws.client("secretsmanager")
    with refused("ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=name)
    secrets.put_secret_value(SecretId=name, SecretString="now")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "now"


@scenario
def nested_stack_updates(aws: Aws) -> None:
    bucket, prefix = aws.name(), aws.name()
    trust = json.loads(
        document(
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"},
            }
        )
    )
    inner = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": trust},
            },
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": {"Ref": "Name"}},
            },
        },
        "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="inner", Body=json.dumps(inner))
    outer = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {
            "Inner": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {
                    "TemplateURL": f"{aws.machine.url}/{bucket}/inner",
                    "Parameters": {"Name": {"Ref": "Name"}},
                },
            }
        },
        "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Role"]}}},
    }

    def output(stack: str) -> str:
        [found] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return str(found["Outputs"][0]["OutputValue"])

    stack = aws.stack(outer, Name=f"{prefix}-1")
    before = output(stack)
    assert before.startswith("arn:aws:iam:")
    aws.stack(outer, stack, Name=f"{prefix}-2")
    assert output(stack) == before


@scenario
def refused_deletions(aws: Aws) -> None:
    needed, other = aws.name(), aws.name()
    function = aws.function(aws.role("lambda.amazonaws.com"))
    stack = aws.stack(
        {
            "Resources": {
                "Needed": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": needed}},
                "Retained": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"},
                "Other": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": other}},
                "Guard": {
                    "Type": "Custom::Guard",
                    "DependsOn": ["Needed", "Retained"],
                    "Properties": {"ServiceToken": aws.arn("lambda", f"function:{function}")},
                },
            }
        }
    )
    formation = aws.client("cloudformation")
    formation.delete_stack(StackName=stack)
    assert aws.settled(stack) == "DELETE_FAILED"
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    assert any("somebody is held in" in e.get("ResourceStatusReason", "") for e in events)
    left = {url.rsplit("/", 1)[-1] for url in aws.client("sqs").list_queues()["QueueUrls"]}
    assert needed in left and other not in left
    still = formation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    assert {"Needed", "Retained", "Guard"} == {r["LogicalResourceId"] for r in still}
