"""`samconfig.toml`, and two environments in one account."""

from __future__ import annotations

import re
from typing import Any

import pytest
import tomlkit

from templates import ROOT, TEMPLATE, Stack, read, stint

CONFIG_FILE = ROOT / "samconfig.toml"
# Read as `sam` reads it.
CONFIG: dict[str, Any] = tomlkit.parse(CONFIG_FILE.read_text()).unwrap()
ENVIRONMENTS = ["default", "staging"]

# Where a resource's name is, if it has one. A schedule's is its own within its group.
NAMES = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
}


def overrides(environment: str) -> dict[str, str]:
    """The parameters that an environment sets."""
    given = CONFIG[environment]["global"]["parameters"]["parameter_overrides"]
    return dict(item.split("=", 1) for item in given)


def names(stack: Stack) -> set[tuple[str, str]]:
    """Everything in a stack that has a name of its own."""
    return {
        (kind, properties[key])
        for kind, key in NAMES.items()
        for properties in stack.of_type(kind).values()
        if key in properties
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_sets_parameters_that_exist(environment: str) -> None:
    parameters = read(TEMPLATE)["Parameters"]

    for name, value in overrides(environment).items():
        assert name in parameters, f"{environment} sets {name}"
        pattern = parameters[name].get("AllowedPattern")
        assert pattern is None or re.fullmatch(pattern, value)
        allowed = parameters[name].get("AllowedValues")
        assert allowed is None or value in map(str, allowed)


def test_what_is_commented_out_exists_too_and_nothing_is_missing() -> None:
    first = CONFIG_FILE.read_text().split("[staging.", 1)[0]
    shown = re.findall(r'^  (?:# )?"(\w+)=', first, re.MULTILINE)

    assert sorted(shown) == sorted(read(TEMPLATE)["Parameters"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_a_stack_of_its_own_that_is_tagged(environment: str) -> None:
    deploy = CONFIG[environment]["deploy"]["parameters"]

    assert deploy["capabilities"] == "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
    assert deploy["resolve_s3"] is True
    assert deploy["fail_on_empty_changeset"] is False
    assert dict(tag.split("=") for tag in deploy["tags"].split()) == {
        "application": "stint",
        "environment": "production" if environment == "default" else environment,
    }


def test_two_environments_in_one_account_share_no_name() -> None:
    first, second = (CONFIG[it]["global"]["parameters"]["stack_name"] for it in ENVIRONMENTS)
    assert first != second

    ours = names(Stack(stint(), first, **overrides("default")))
    theirs = names(Stack(stint(), second, **overrides("staging")))

    assert {kind for kind, _ in ours} >= {
        "AWS::ApiGatewayV2::Api",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
    assert not ours & theirs
    for kind, name in ours:
        assert first in name, f"{kind} {name} does not say whose it is"


def test_schedules_of_two_environments_are_in_groups_of_their_own() -> None:
    stack = Stack(stint())

    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        assert schedule["GroupName"] == "${Schedules}"
    assert "Name" not in stack.resources["Schedules"].get("Properties", {})


def test_a_stack_name_of_fifty_characters_is_not_too_long() -> None:
    limits = {
        "AWS::Lambda::Function": 64,
        "AWS::SQS::Queue": 80,
        "AWS::Lambda::LayerVersion": 140,
        "AWS::ApiGatewayV2::Api": 128,
        "AWS::CloudWatch::Dashboard": 255,
    }
    for kind, name in names(Stack(stint(), "s" * 50, AlarmEmail="ops@example.com")):
        assert len(name) <= limits.get(kind, 256), f"{name} is too long"
