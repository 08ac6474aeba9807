"""Starts MiniStack 1.5.33, a whole AWS on this machine, with the gaps closed that matter here.

With AUTH=true MiniStack enforces IAM, but not everywhere. Each function below that is marked
`@correction` makes it do one thing that AWS does; its docstring says what AWS does and what MiniStack
does without it. `test_launcher.py` has a test for each that fails without it.

    python launcher.py [--without NAME]...
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import apigateway, eventbridge, iam, lambda_svc, scheduler, sqs
from ministack.services import secretsmanager
from ministack.services.cloudformation import _stacks, provisioners, stacks

CORRECTIONS: dict[str, Callable[[], None]] = {}


def correction(install: Callable[[], None]) -> Callable[[], None]:
    """Marks a correction; its name on the command line is the function's, with dashes."""
    CORRECTIONS[install.__name__.replace("_", "-")] = install
    return install


# What the corrections ask IAM.


def role_may(role_arn: str, action: str, resource: str) -> bool:
    """Whether the policies of the role at `role_arn` allow `action` on `resource`."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


def service_may(document: Any, service: str, action: str, **keys: str) -> bool:
    """Whether a trust or resource policy lets an AWS service do `action` under these `aws:` keys."""
    document = json.loads(document) if isinstance(document, str) else document or {}
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=get_account_id(),
        action=action,
        resource_arn="*",
        region=get_region(),
        service_context={f"aws:{key}": value for key, value in keys.items()},
    )

    def applies(statement: dict[str, Any]) -> bool:
        actions = statement.get("Action", [])
        return (
            iam_evaluator._service_principal_matches(statement.get("Principal"), service)
            and action in ([actions] if isinstance(actions, str) else actions)
            and iam_evaluator._conditions_met(statement.get("Condition", {}), context)
        )

    effects = {s["Effect"] for s in document.get("Statement", []) if applies(s)}
    return effects == {"Allow"}


def service_may_assume(role_arn: str, service: str, **keys: str) -> bool:
    """Whether the role at `role_arn` trusts an AWS service."""
    role = iam._roles.get_scoped(role_arn.split(":")[4], None, role_arn.rsplit("/", 1)[-1]) or {}
    document = role.get("AssumeRolePolicyDocument")
    return service_may(document, service, "sts:AssumeRole", **keys)


def scheduler_may_assume(role_arn: str, group: str) -> bool:
    """Whether the role at `role_arn` trusts the scheduler on behalf of a schedule group here."""
    account = get_account_id()
    arn = f"arn:aws:scheduler:{get_region()}:{account}:schedule-group/{group}"
    return service_may_assume(
        role_arn, "scheduler.amazonaws.com", sourceaccount=account, sourcearn=arn
    )


def say(text: str) -> None:
    """Says in MiniStack's log what AWS would have refused."""
    print(f"launcher: {text}", flush=True)


# Lambda.


@correction
def function_trust() -> None:
    """A function runs only with a role that trusts Lambda.

    AWS assumes the role for each new execution environment, and the role's trust policy must let
    it. MiniStack makes credentials for the role without looking at that policy.
    """
    credentials = lambda_svc.execution_credentials

    def checked(config: dict[str, Any]) -> dict[str, str]:
        if not service_may_assume(config["Role"], "lambda.amazonaws.com"):
            say(f"{config['FunctionName']} has no credentials: its role does not trust Lambda")
            raise PermissionError(f"Lambda is not allowed to assume `{config['Role']}`")
        return credentials(config)

    lambda_svc.execution_credentials = checked


@correction
def function_of_now() -> None:
    """An event runs on the function as it is by then.

    AWS takes the code and the variables that a function has when it is tried again. MiniStack takes those
    that it had when the event came, and keeps that process for the events after it.
    """
    execute = lambda_svc._execute_function

    def on_the_function_of_now(func: dict[str, Any], event: Any) -> dict[str, Any]:
        config = func.get("config") or func
        record, now, _ = lambda_svc._get_func_record_for_ref(config["FunctionArn"])
        if record and config.get("Version", "$LATEST") == "$LATEST":
            func = lambda_svc._execution_record_for_config(record, now)
        return execute(func, event)

    lambda_svc._execute_function = on_the_function_of_now


@correction
def layers() -> None:
    """A function finds the content of its layers.

    AWS unpacks the layers of a function under /opt. MiniStack ignores them for `provided.*`. A process
    has no /opt of its own here, so they are unpacked elsewhere, and the variable that tells where the
    flows are (by default in /opt) leads there.
    """
    environment = lambda_svc._provided_worker_env

    def with_layers(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        variables = environment(config, code_dir, port)
        if config.get("Layers"):
            opt = unpacked([lambda_svc._resolve_layer_zip(layer) for layer in config["Layers"]])
            flows = variables.get("STINT_FLOWS_DIR", "/opt")
            variables["STINT_FLOWS_DIR"] = str(opt / flows.removeprefix("/opt").lstrip("/"))
        return variables

    def unpacked(zips: list[bytes]) -> Path:
        name = hashlib.sha256(b"".join(zips)).hexdigest()
        folder = Path(tempfile.gettempdir(), f"ministack-layers-{name}")
        for content in zips:
            zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
        return folder

    lambda_svc._provided_worker_env = with_layers


@correction
def log_writes() -> None:
    """A function's log is written with its role.

    On AWS a role without logs:CreateLogStream and logs:PutLogEvents leaves nothing in the log group.
    MiniStack writes whatever the role says.
    """
    emit = lambda_svc._emit_lambda_logs

    def with_the_role(func: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        config = func.get("config") or func
        name = config["FunctionName"]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        stream = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:any"
        actions = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(role_may(config["Role"], action, stream) for action in actions):
            emit(func, *args, **kwargs)

    lambda_svc._emit_lambda_logs = with_the_role


@correction
def failure_destinations() -> None:
    """An event that failed for good is sent on with the function's role.

    AWS needs sqs:SendMessage in the function's role, and refuses a destination when the role lacks it.
    MiniStack puts the message into the queue whatever the role says.
    """
    route, put = lambda_svc._route_async_failure, lambda_svc._put_event_invoke_config

    def may_send(function: str, queue: str) -> bool:
        config = (lambda_svc._functions.get(function) or {}).get("config") or {}
        return ":sqs:" not in queue or role_may(config["Role"], "sqs:SendMessage", queue)

    def with_the_role(target: str, function: str, event: Any, result: dict[str, Any]) -> None:
        if may_send(function, target):
            return route(target, function, event, result)
        say(f"a failed event of {function} is lost: its role may not send to {target}")

    def checked(function: str, qualifier: str | None, data: dict[str, Any]) -> tuple:
        destinations = data.get("DestinationConfig") or {}
        queue = (destinations.get("OnFailure") or {}).get("Destination") or ""
        if function in lambda_svc._functions and not may_send(function, queue):
            why = f"The function's execution role does not have permissions to call SendMessage on {queue}"
            return error_response_json("InvalidParameterValueException", why, 400)
        return put(function, qualifier, data)

    lambda_svc._route_async_failure = with_the_role
    lambda_svc._put_event_invoke_config = checked


@correction
def queue_polling() -> None:
    """A queue is read for a function with the function's role.

    AWS needs sqs:ReceiveMessage, sqs:GetQueueAttributes and sqs:DeleteMessage in the function's role,
    and refuses the mapping when it may not receive. MiniStack reads and empties the queue whatever the
    role says.
    """
    mappings, run = lambda_svc._iter_all_esms, lambda_svc._run_sqs_batch
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create_in_stack, create = handlers["create"], lambda_svc._create_esm
    reading = ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")

    def may(function: str, action: str, queue: str, account: str | None = None) -> bool:
        account = account or get_account_id()
        record = lambda_svc._functions.get_scoped(account, get_region(), function) or {}
        role = (record.get("config") or {}).get("Role")
        return role is not None and role_may(role, action, queue)

    def those_that_may() -> Any:
        for account, region, mapping in mappings():
            queue, function = mapping["EventSourceArn"], mapping["FunctionName"]
            if ":sqs:" not in queue or all(may(function, a, queue, account) for a in reading):
                yield account, region, mapping

    def run_with_the_role(mapping: dict[str, Any], *args: Any) -> None:
        if may(mapping["FunctionName"], "sqs:DeleteMessage", mapping["EventSourceArn"]):
            return run(mapping, *args)
        delete = sqs._delete_messages_for_esm
        try:
            sqs._delete_messages_for_esm = lambda url, handles: None
            run(mapping, *args)
        finally:
            sqs._delete_messages_for_esm = delete

    def refusal(function: str, queue: str) -> str | None:
        name, _ = lambda_svc._resolve_name_and_qualifier(function)
        if ":sqs:" not in queue or may(name, "sqs:ReceiveMessage", queue):
            return None
        return "The function execution role does not have permissions to call ReceiveMessage on SQS"

    def create_checked(data: dict[str, Any]) -> tuple:
        why = refusal(data.get("FunctionName", ""), data.get("EventSourceArn", ""))
        if why:
            return error_response_json("InvalidParameterValueException", why, 400)
        return create(data)

    def create_in_stack_checked(logical_id: str, props: dict[str, Any], stack: str) -> tuple:
        why = refusal(props.get("FunctionName", ""), props.get("EventSourceArn", ""))
        if why:
            raise ValueError(why)
        return create_in_stack(logical_id, props, stack)

    lambda_svc._iter_all_esms = those_that_may
    lambda_svc._run_sqs_batch = run_with_the_role
    lambda_svc._create_esm = create_checked
    handlers["create"] = create_in_stack_checked


@correction
def api_permission() -> None:
    """An HTTP API invokes a function only if the function's policy lets it.

    AWS asks the function's resource policy, with the ARN of the route as aws:SourceArn, and answers
    500 when it says no. MiniStack does not ask.
    """
    invoke = apigateway._invoke_lambda_proxy

    async def checked(
        integration: dict[str, Any],
        api: str,
        stage: str,
        path: str,
        method: str,
        headers: Any,
        body: Any,
        query: Any,
        route: str = "$default",
        *args: Any,
        **owner: Any,
    ) -> tuple:
        account = owner.get("owner_account_id") or get_account_id()
        region = owner.get("owner_region") or get_region()
        target = apigateway._extract_lambda_ref_from_integration_uri(
            integration.get("integrationUri", "")
        )
        function, _, name = lambda_svc._get_func_record_for_ref_in_scope(
            target, account_id=account, region=region
        )
        source = f"arn:aws:execute-api:{region}:{account}:{api}/{stage}/{route.replace(' ', '')}"
        if function and not service_may(
            function.get("policy"),
            "apigateway.amazonaws.com",
            "lambda:InvokeFunction",
            sourcearn=source,
            sourceaccount=account,
        ):
            say(f"{source} may not invoke {name}")
            answer = json.dumps({"message": "Internal Server Error"}).encode()
            return 500, {"Content-Type": "application/json"}, answer
        return await invoke(
            integration, api, stage, path, method, headers, body, query, route, *args, **owner
        )

    apigateway._invoke_lambda_proxy = checked


# Schedules.


@correction
def schedule_arns() -> None:
    """A schedule's ARN names its group.

    On AWS it is schedule/GROUP/NAME. MiniStack asks IAM about schedule/default/NAME, whatever the group.
    """
    extract = iam_actions.extract_resource_arn

    def with_group(
        service: str, method: str, path: str, headers: Any, body: Any, query: Any, *scope: str
    ) -> str:
        arn = extract(service, method, path, headers, body, query, *scope)
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        group = query.get("groupName") or iam_actions._safe_json_field(body, "GroupName")
        group = group[0] if isinstance(group, list) else group
        return arn.replace(":schedule/default/", f":schedule/{group or 'default'}/")

    iam_actions.extract_resource_arn = with_group


@correction
def schedule_pass_role() -> None:
    """Who makes or changes a schedule must be allowed to give it its role.

    AWS asks for iam:PassRole on the target's role, with iam:PassedToService, and refuses a role that
    does not trust the scheduler. MiniStack asks for neither.
    """
    handle = scheduler.handle_request

    async def checked(method: str, path: str, headers: Any, body: bytes, query: Any) -> tuple:
        if method in ("POST", "PUT") and path.startswith("/schedules/"):
            schedule = json.loads(body or b"{}")
            role = (schedule.get("Target") or {}).get("RoleArn", "")
            denied = iam_evaluator.enforce(
                extract_access_key_id(headers, query),
                "iam:PassRole",
                "iam",
                get_region(),
                role,
                {"iam:PassedToService": "scheduler.amazonaws.com"},
            )
            if denied is not None:
                return iam_actions.access_denied_response(
                    "scheduler",
                    "iam:PassRole",
                    getattr(denied, "principal_arn", ""),
                    "",
                    headers=headers,
                    resource_arn=role,
                )
            if not scheduler_may_assume(role, schedule.get("GroupName", "default")):
                why = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
                return error_response_json("ValidationException", why, 400)
        return await handle(method, path, headers, body, query)

    scheduler.handle_request = checked


@correction
def schedule_role() -> None:
    """A schedule fires with its role, as an asynchronous invocation.

    AWS assumes the role on behalf of the schedule's group, needs the target's action in it, retries as
    an asynchronous invocation does, and sends what it could not deliver to the schedule's dead-letter
    queue, with the same role. MiniStack invokes the target with nobody's permission, once.
    """
    invoke = eventbridge._invoke_target

    def fire(target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> None:
        if "GroupName" not in (rule or {}):
            return invoke(target, event, rule, view)
        role, function = target["RoleArn"], target["Arn"]
        trusted = scheduler_may_assume(role, rule["GroupName"])
        payload = target.get("Input", "{}")
        if trusted and role_may(role, "lambda:InvokeFunction", function):
            record, config, _ = lambda_svc._get_func_record_for_ref(function)
            record = lambda_svc._execution_record_for_config(record, config)
            return lambda_svc.invoke_async_with_retry(record, json.loads(payload))
        say(f"the schedule {rule['Name']} may not invoke {function}")
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if trusted and queue and role_may(role, "sqs:SendMessage", queue):
            eventbridge._dispatch_to_sqs(iam_actions.parse_arn(queue), payload, {})

    eventbridge._invoke_target = fire


# CloudFormation.


@correction
def empty_secrets() -> None:
    """A secret that a stack makes without a value has none.

    On AWS it has no version, and reading it is ResourceNotFoundException. MiniStack gives it an empty
    string.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create = handlers["create"]

    def without_a_version(logical_id: str, props: dict[str, Any], stack: str) -> tuple:
        name, attributes = create(logical_id, props, stack)
        if not props.get("SecretString") and not props.get("GenerateSecretString"):
            secretsmanager._secrets[name]["Versions"] = {}
        return name, attributes

    handlers["create"] = without_a_version


@correction
def nested_stack_updates() -> None:
    """A resource of a nested stack that an update does not change keeps its attributes.

    MiniStack forgets them when the nested stack is updated, and the update fails because the nested
    stack's outputs cannot be made.
    """
    update = provisioners._update_resource

    def with_attributes(
        kind: str,
        physical_id: str,
        old: Any,
        new: Any,
        stack: str,
        logical_id: str | None = None,
        attributes: Any = None,
    ) -> tuple:
        if attributes is None:
            resources = (_stacks.get(stack) or {}).get("_resources", {})
            attributes = (resources.get(logical_id) or {}).get("Attributes")
        return update(kind, physical_id, old, new, stack, logical_id, attributes)

    provisioners._update_resource = stacks._update_resource = with_attributes


@correction
def refused_deletions() -> None:
    """A custom resource that refuses to be deleted keeps everything that it depends on.

    AWS deletes in reverse order of the dependencies, and does not touch what something that is still
    there depends on. MiniStack goes on: it deletes that all the same, or, where it is to be retained,
    forgets that it is the stack's.
    """
    delete, policy = stacks._delete_resource, stacks._resource_policy
    kept: dict[str, set[str]] = {}

    def in_order(
        kind: str, physical_id: str, props: Any, stack: str, logical_id: str | None = None
    ) -> None:
        if logical_id in kept.get(stack, ()):
            raise ValueError("not deleted: something that depends on it is still there")
        try:
            if kind.startswith("Custom::"):
                kept.pop(stack, None)
            delete(kind, physical_id, props, stack, logical_id)
        except Exception:
            record = _stacks.get(stack) or {}
            defined = (record.get("_template") or {}).get("Resources", {})
            remaining = set(record.get("_resources", {}))
            needs = stacks._with_dependencies([logical_id], defined, remaining) - {logical_id}
            kept[stack] = kept.get(stack, set()) | needs
            raise

    def not_before_its_turn(definition: Any, attribute: str, resources: Any, *scope: Any) -> str:
        *_, stack, _ = scope
        defined = ((_stacks.get(stack) or {}).get("_template") or {}).get("Resources", {})
        names = [name for name, one in defined.items() if one is definition]
        if attribute == "DeletionPolicy" and kept.get(stack, set()).intersection(names):
            return "Delete"
        return policy(definition, attribute, resources, *scope)

    stacks._delete_resource = in_order
    stacks._resource_policy = not_before_its_turn


def main() -> None:
    """Installs the corrections and serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", action="append", default=[], choices=sorted(CORRECTIONS))
    without = parser.parse_args().without
    for name, install in CORRECTIONS.items():
        if name not in without:
            install()
    # MiniStack looks for due schedules every ten seconds; AWS is at most a minute late.
    scheduler._SCHEDULE_TICK_INTERVAL = 1
    sys.argv = sys.argv[:1]
    if os.environ.get("AUTH") != "true":
        sys.exit("launcher: AUTH=true is missing: nothing would be enforced")

    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
