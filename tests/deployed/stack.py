"""A deployed Stint, as its tests see it: people in Slack, members in Okta, the table, the logs."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from boto3.dynamodb.types import TypeDeserializer

from machine import (
    ACCOUNT,
    HERE,
    OTHER_ACCOUNT,
    REGION,
    ROOT,
    Machine,
    Outside,
    copy_of_the_build,
    wait_until,
)

ALICE, BOB, CAROL, DAVE = "U01ALICE", "U02BOB", "U03CAROL", "U04DAVE"
PROD, STAGING = "00g2prodadmins", "00g3stagingadmins"
REQUESTS, ERRORS = "sym-requests", "sym-errors"

SLACK_SECRET = {
    "slack_bot_token": "xoxb-sandbox",
    "slack_signing_secret": "sandbox-signing-secret",
}
OKTA_SECRET = {"okta_api_token": "00sandbox-okta-token"}
FUNCTIONS = ("slack-ingress", "approval", "escalation", "deescalation")


def words(value: Any) -> str:
    """All text in a piece of Slack's JSON, one string after another."""
    if isinstance(value, str):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "\n".join(filter(None, map(words, parts)))


class Stint:
    """A stack called `name`, deployed by `sam deploy` from what `sam build` made."""

    def __init__(
        self, machine: Machine, outside: Outside, name: str = "stint", account: str = ACCOUNT
    ) -> None:
        self.machine, self.outside, self.name, self.account = machine, outside, name, account
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=machine.folder))
        self.flows = self.folder / "flows"
        shutil.copytree(HERE / "flows", self.flows)
        # Text that is added to the functions' packages, where they are to be new code.
        self.version = ""
        self.outputs: dict[str, str] = {}
        # The connector's stack, and its account, where it is not the stack's own.
        self.connector: tuple[str, str] | None = None

    # Deploying.

    def deploy(self, flows_folder: str = "", **parameters: str) -> None:
        """Deploys, or updates, with the flows in `self.flows`."""
        template = copy_of_the_build(self.folder, {flows_folder: self.flows})
        for function in template.parent.glob("*/bootstrap"):
            if self.version:
                (function.parent / "version").write_text(self.version)
        given = {"OktaOrgDomain": "sandbox.okta.local", **parameters}
        if flows_folder:
            given["FlowsFolder"] = flows_folder
        self.machine.sam_deploy(template, self.name, given, self.account)
        self.outputs = self.outputs_of(self.name, self.account)

    def deploy_with_the_connector_apart(self) -> None:
        """Three deploys: the stack; the connector in another account, with what the stack put out; the
        stack again, with what the connector put out."""
        self.deploy()
        given = {
            "Runtime": self.name,
            "TrustedRoleArns": self.outputs["TrustedRoleArns"],
            "ExternalId": self.outputs["RuntimeConnectorExternalId"],
        }
        template = ROOT / "infra" / "runtime-connector.yaml"
        name = f"{self.name}-connector"
        self.machine.sam_deploy(template, name, given, OTHER_ACCOUNT)
        connector = self.outputs_of(name, OTHER_ACCOUNT)
        self.deploy(RuntimeConnectorRoleArn=connector["RoleArn"])
        self.connector = (OTHER_ACCOUNT, name)

    def outputs_of(self, stack: str, account: str) -> dict[str, str]:
        """The outputs of any stack."""
        formation = self.machine.client("cloudformation", account)
        [found] = formation.describe_stacks(StackName=stack)["Stacks"]
        return {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}

    def stacks(self) -> list[tuple[str, str]]:
        """The stack and its connector's, each with its account."""
        return [
            (self.account, self.name),
            self.connector or (self.account, self.resource("Connector")),
        ]

    def client(self, service: str, **credentials: str) -> Any:
        """A client for the stack's administrator, or for whoever has `credentials`."""
        return self.machine.client(service, self.account, **credentials)

    def resource(self, logical_id: str) -> str:
        """The physical id of one of the stack's resources."""
        formation = self.client("cloudformation")
        found = formation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def put_slack_secret(self) -> None:
        """Puts the credentials of the Slack app into their secret."""
        self.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["SlackSecretName"], SecretString=json.dumps(SLACK_SECRET)
        )

    def put_okta_secret(self, account: str | None = None) -> None:
        """Puts the Okta token into its secret, which is in the connector's account."""
        self.machine.client("secretsmanager", account or self.account).put_secret_value(
            SecretId=self.outputs["OktaSecretName"], SecretString=json.dumps(OKTA_SECRET)
        )

    def function(self, name: str) -> str:
        """The full name of a function."""
        return f"{self.name}-{name}"

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invokes a function and waits for its answer."""
        done = self.client("lambda").invoke(
            FunctionName=self.function(function), Payload=json.dumps(event)
        )
        answer = json.loads(done["Payload"].read() or "null")
        assert "FunctionError" not in done, f"{function} failed on {event}: {answer}"
        return answer

    def set_variables(self, function: str, **changed: str | None) -> dict[str, str]:
        """Changes variables of a function (None takes one away), which makes its next start a cold
        one; gives back those that were there."""
        lambdas, name = self.client("lambda"), self.function(function)
        config = lambdas.get_function_configuration(FunctionName=name)
        before = dict(config.get("Environment", {}).get("Variables", {}))
        after = {k: v for k, v in {**before, **changed}.items() if v is not None}
        lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": after})
        return before

    @contextmanager
    def broken(self, function: str) -> Iterator[None]:
        """A function whose every event fails: it looks for its record in a table that is not its own."""
        before = self.set_variables(function, STINT_TABLE="elsewhere")
        try:
            yield
        finally:
            self.set_variables(function, STINT_TABLE=before["STINT_TABLE"])

    def cold_start(self, *functions: str) -> None:
        """Lets the next event of each function start it anew."""
        for function in functions or FUNCTIONS:
            self.set_variables(function, STINT_TEST=str(time.time_ns()))

    # People.

    def listen(self) -> None:
        """Makes Slack send to this stack."""
        # Names in `.localhost` are this machine.
        address = urlsplit(self.outputs["SlackRequestUrl"])
        api = (address.hostname or "").split(".")[0]
        host = f"{api}.execute-api.localhost:{self.machine.port}"
        self.ingress = f"http://{host}{address.path}"
        self.outside.move_ingress(self.ingress)

    def post(self, body: bytes, **headers: str) -> requests.Response:
        """Posts bytes to the API, whoever one is."""
        address = urlsplit(self.ingress)
        url = f"{self.machine.url}{address.path}"
        return requests.post(
            url, data=body, headers={"Host": address.netloc, **headers}, timeout=60
        )

    def slack(self, user: str, **act: Any) -> dict[str, Any]:
        """`user` does something in Slack; what the ingress answered and what they see."""
        return self.outside.post("slack", {"user": user, **act})

    def ask(self, user: str, target: str, duration: str, reason: str = "fixing INC-42") -> str:
        """`user` asks for `target`; the request's id, once it is in the table and has its card."""
        before = set(self.requests())
        seen = self.slack(user, command="/access")
        view = seen.get("view")
        assert seen["status"] == 200 and view, f"no form was opened: {seen}\n{self.explain()}"
        values = {"target": target, "duration": duration, "reason": reason}
        seen = self.slack(user, submit={"view_id": view["id"], "values": values})
        assert seen["status"] == 200 and not seen["errors"], f"{seen}\n{self.explain()}"

        def made() -> str | None:
            new = [r for r in self.requests().values() if r["id"] not in before and self.card(r)]
            return str(new[0]["id"]) if new else None

        return str(wait_until(f"{user} has a request with a card", made, 30, self.explain))

    def press(self, user: str, action: str, request: str) -> dict[str, Any]:
        """`user` presses `action` on the card of `request` in the request channel."""

        def pressed() -> Any:
            card = self.card(self.request(request))
            return card and f'"{action}"' in json.dumps(card) and card

        card = wait_until(f"the card of {request} has `{action}`", pressed, 30, self.explain)
        channel = self.channel(REQUESTS)["id"]
        return self.slack(user, click={"channel": channel, "ts": card["ts"], "action_id": action})

    def open_home(self, user: str) -> None:
        """`user` opens the app's Home tab."""
        seen = self.slack(user, open_home=True)
        assert seen["status"] == 200, seen

    def home_buttons(self, user: str, request: str) -> dict[str, str]:
        """What the Home of `user` offers to do with `request`, and what each button sends."""
        home = self.outside.state()["slack"]["homes"].get(user) or {"blocks": []}
        elements = [
            element
            for block in home["blocks"]
            for element in (*block.get("elements", ()), block.get("accessory") or {})
        ]
        return {e["action_id"]: e["value"] for e in elements if request in e.get("value", "")}

    def wait_for_home(
        self, user: str, action: str, request: str, offered: bool = True, seconds: float = 30
    ) -> None:
        """Waits until the Home of `user` offers `action` for `request`, or does not any more."""
        what = f"the Home of {user} {'offers' if offered else 'does not offer'} `{action}`"
        drawn = lambda: (action in self.home_buttons(user, request)) is offered  # noqa: E731
        explain = lambda: f"{self.home_buttons(user, request)}\n{self.explain()}"  # noqa: E731
        wait_until(what, drawn, seconds, explain)

    def press_in_home(self, user: str, action: str, request: str) -> dict[str, Any]:
        """`user` presses `action` for `request` in their Home."""
        view = self.outside.state()["slack"]["homes"][user]["id"]
        value = self.home_buttons(user, request)[action]
        # The same action is there for every request; `force` says which one's button it is.
        click = {"view_id": view, "action_id": action, "value": value}
        return self.slack(user, click=click, force=True)

    def grant(self, user: str, target: str, duration: str, approver: str = BOB) -> str:
        """`user` asks for `target`, `approver` approves, and the access is active; its id."""
        request = self.ask(user, target, duration)
        self.press(approver, "approve", request)
        self.wait_for_state(request, "active")
        return request

    def channel(self, name: str) -> dict[str, Any]:
        """A Slack channel, with its id and messages."""
        for key, channel in self.outside.state()["slack"]["channels"].items():
            if channel["name"] == name:
                return {"id": key, **channel}
        raise AssertionError(f"there is no channel `{name}`")

    def card(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The card of a request in the request channel, if it is there."""
        channel = self.channel(REQUESTS)
        posted = [c["posted"] for c in request["cards"] if c["posted"]]
        stamps = [p["ts"] for p in posted if p["channel"] == channel["id"]]
        found = [m for m in channel["messages"] if m["ts"] in stamps]
        return found[0] if found else None

    def heard(self, user: str) -> str:
        """Everything that `user` alone was told."""
        slack = self.outside.state()["slack"]
        return words([slack["dms"].get(user), slack["ephemerals"].get(user)])

    def errors(self) -> str:
        """What the error channel says."""
        return words(self.channel(ERRORS)["messages"])

    def is_member(self, user: str, group: str) -> bool:
        """Whether a person is in an Okta group."""
        state = self.outside.state()
        return state["slack"]["users"][user]["okta"] in state["okta"]["groups"][group]["members"]

    # The record.

    def items(self) -> list[dict[str, Any]]:
        """Every item of the table."""
        table = self.outputs["TableName"]
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=table, ConsistentRead=True)
        )
        read = TypeDeserializer().deserialize
        return [{k: read(v) for k, v in item.items()} for p in pages for item in p["Items"]]

    def requests(self) -> dict[str, dict[str, Any]]:
        """Every request, by its id."""
        found = [i["doc"] for i in self.items() if i["sk"] == "request"]
        return {str(document["id"]): document for document in found}

    def request(self, request: str) -> dict[str, Any]:
        """One request."""
        return self.requests()[request]

    def standing(self, request: str) -> str:
        """A request's state and, after a slash, why: `ended/elapsed`."""
        found = self.request(request)
        return "/".join(filter(None, (found["state"], found.get("why"))))

    def audit(self, request: str) -> list[dict[str, Any]]:
        """The audit entries of a request, oldest first."""
        found = [i["doc"] for i in self.items() if i["sk"].startswith("audit#")]
        of_it = [entry for entry in found if entry["request"] == request]
        return sorted(of_it, key=lambda entry: entry["at"])

    def ends_at(self, request: str) -> float:
        """When an access ends, in seconds since 1970."""
        return datetime.fromisoformat(self.request(request)["ends_at"]).timestamp()

    def wait_for_state(self, request: str, state: str, seconds: float = 30) -> None:
        """Waits until a request stands as `state` says (`ended`, or `ended/elapsed`)."""

        def stands() -> bool:
            standing = self.standing(request)
            return standing == state or standing.split("/")[0] == state

        wait_until(f"{request} is {state}", stands, seconds, self.explain)

    def wait_for_words(self, what: str, said: Callable[[], str], *expected: str) -> str:
        """Waits until `said` has all that is expected."""

        def complete() -> str | None:
            text = said()
            return text if all(part in text for part in expected) else None

        explain = lambda: f"{expected} not in:\n{said()}\n{self.explain()}"  # noqa: E731
        return str(wait_until(what, complete, 30, explain))

    # Schedules, queues and logs.

    def schedules(self) -> list[str]:
        """The names of the one-time schedules that are waiting."""
        group = self.resource("Schedules")
        found = self.client("scheduler").list_schedules(GroupName=group)["Schedules"]
        again = [self.recurring("DeescalationSweep"), self.recurring("DeescalationDrift")]
        return [s["Name"] for s in found if s["GroupName"] == group and s["Name"] not in again]

    def sweep(self) -> str:
        """The name of the schedule that wakes deescalation every minute."""
        return self.recurring("DeescalationSweep")

    def recurring(self, resource: str) -> str:
        """The name of the schedule `resource`, which wakes deescalation again and again."""
        return self.resource(resource).rsplit("/", 1)[-1].rsplit("|", 1)[-1]

    def set_sweep(self, on: bool) -> None:
        """Switches the sweep on or off."""
        schedules = self.client("scheduler")
        group, name = self.resource("Schedules"), self.sweep()
        found = schedules.get_schedule(GroupName=group, Name=name)
        keep = ("GroupName", "Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        state = "ENABLED" if on else "DISABLED"
        schedules.update_schedule(**{key: found[key] for key in keep}, State=state)

    def delete_schedules(self) -> None:
        """Loses every one-time schedule."""
        group = self.resource("Schedules")
        for name in self.schedules():
            self.client("scheduler").delete_schedule(GroupName=group, Name=name)

    def schedule_now(self, **changed: Any) -> dict[str, Any]:
        """A one-time schedule that is due now, as escalation makes them, but for what is changed."""
        target = {
            "Arn": self.arn("lambda", f"function:{self.function('deescalation')}"),
            "RoleArn": self.role("ScheduleRole"),
            "Input": '{"v":1,"request":"none"}',
            "DeadLetterConfig": {"Arn": self.queue_arn("ScheduleFailed")},
        }
        return {
            "Name": f"test-{time.time_ns()}",
            "GroupName": changed.pop("GroupName", self.resource("Schedules")),
            "ScheduleExpression": f"at({datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {**target, **changed},
        }

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in the stack's account and region."""
        return f"arn:aws:{service}:{REGION}:{self.account}:{resource}"

    def role(self, logical_id: str) -> str:
        """The ARN of one of the stack's roles."""
        found = self.client("iam").get_role(RoleName=self.resource(logical_id))
        return str(found["Role"]["Arn"])

    def queue_arn(self, logical_id: str) -> str:
        """The ARN of one of the stack's queues."""
        found = self.client("sqs").get_queue_attributes(
            QueueUrl=self.resource(logical_id), AttributeNames=["QueueArn"]
        )
        return str(found["Attributes"]["QueueArn"])

    def queue(self, logical_id: str) -> int:
        """How many messages are in a queue, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(
            QueueUrl=self.resource(logical_id), AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def log(self, function: str, since: float = 0) -> str:
        """What a function logged since a time, in seconds since 1970."""
        group = f"/aws/lambda/{self.function(function)}"
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=group, startTime=int(since * 1000))
        )
        events = [event for page in pages for event in page["events"]]
        return "\n".join(e["message"] for e in sorted(events, key=lambda e: e["timestamp"]))

    def has_alarm_for(self, function: str, metric: str) -> bool:
        """Whether a function has reported a metric as the stack's alarm on it listens for it."""
        listened = {
            (alarm["Namespace"], alarm["MetricName"], d["Name"], d["Value"])
            for alarm in self.client("cloudwatch").describe_alarms()["MetricAlarms"]
            for d in alarm["Dimensions"]
        }
        reported = set()
        for line in self.log(function).splitlines():
            if '"_aws"' in line:
                told = json.loads(line)
                for of in told["_aws"]["CloudWatchMetrics"]:
                    [[dimension]] = of["Dimensions"]
                    for named in (m["Name"] for m in of["Metrics"] if m["Name"] in told):
                        reported.add((of["Namespace"], named, dimension, told[dimension]))
        return any(m == metric for _, m, _, _ in reported & listened)

    def explain(self) -> str:
        """What helps to understand a failure: requests, and the end of every log."""
        said = []
        if self.outputs:
            for request in self.requests().values():
                keep = ("id", "state", "why", "trouble", "attempts", "ends_at")
                said.append(json.dumps({k: request.get(k) for k in keep}, default=str))
            for function in FUNCTIONS:
                lines = [
                    line
                    for line in self.log(function).splitlines()
                    if not line.startswith(("START ", "END ", "REPORT ", '{"_aws"'))
                ]
                said.append(f"--- the log of {function}\n" + "\n".join(lines[-12:]))
        refused = [
            line
            for line in self.machine.process.output(100_000).splitlines()
            if line.startswith("launcher:")
        ]
        return "\n".join([*said, "--- what was refused", *refused[-8:]])

    # The end of it.

    def delete(self) -> tuple[str, list[str]]:
        """Deletes the stack; its state then, and the reasons in its events."""
        formation = self.client("cloudformation")
        stack = formation.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        before = {e["EventId"] for e in self.events(stack)}
        formation.delete_stack(StackName=stack)

        def over() -> str | None:
            status = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            return status if status in ("DELETE_COMPLETE", "DELETE_FAILED") else None

        status = wait_until(f"{self.name} is deleted or not", over, 120, self.explain)
        new = [e for e in self.events(stack) if e["EventId"] not in before]
        return str(status), [e.get("ResourceStatusReason", "") for e in new]

    def events(self, stack: str) -> list[dict[str, Any]]:
        """The events of a stack, newest first."""
        pages = self.client("cloudformation").get_paginator("describe_stack_events")
        return [e for page in pages.paginate(StackName=stack) for e in page["StackEvents"]]
