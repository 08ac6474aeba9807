"""The templates as CloudFormation sees them: SAM's part made into plain resources, and whatever
depends on parameters decided for given ones. Nothing here needs the network or an account."""

from __future__ import annotations

import copy
import functools
import json
import re
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
CONNECTOR = ROOT / "infra" / "runtime-connector.yaml"

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
STACK_ID = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/stint/the-stacks-own-id"

Template = dict[str, Any]


def read(path: Path) -> Template:
    """A template as it is written, in which every function has its long name."""
    template: Template = yaml_parse(path.read_text())
    return template


def translate(template: Template) -> Template:
    """What CloudFormation makes of a SAM template."""
    template = copy.deepcopy(template)
    # `sam deploy` has put the packages into a bucket by then.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/package"
    for resource in template["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = "s3://bucket/package"
    # No function has a role that SAM makes, so no managed policy is ever looked up.
    session = boto3.Session(region_name="us-east-1")
    made: Template = Translator({}, Parser(), boto_session=session).translate(template, {})
    return made


def stint() -> Template:
    """The main template, translated: a copy of one's own."""
    return copy.deepcopy(_stint())


@functools.cache
def _stint() -> Template:
    return translate(read(TEMPLATE))


class Stack:
    """A template with its parameters filled in: conditions are decided, functions are plain values.

    What only AWS knows is left as text: `${Table.Arn}`, `${Api}`."""

    def __init__(self, template: Template, name: str = "stint", **parameters: str) -> None:
        declared = template.get("Parameters", {})
        unknown = sorted(parameters.keys() - declared.keys())
        assert not unknown, f"the template has no parameters {unknown}"
        self.values: dict[str, Any] = {
            "AWS::StackName": name,
            "AWS::StackId": STACK_ID,
            "AWS::Region": "us-east-1",
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            **{key: value["Default"] for key, value in declared.items() if "Default" in value},
            **parameters,
        }
        self._conditions = template.get("Conditions", {})
        self.resources: dict[str, Any] = {
            key: self.resolve(value)
            for key, value in template["Resources"].items()
            if self._holds(value.get("Condition"))
        }
        self.outputs: dict[str, Any] = {
            key: self.resolve(value["Value"]) for key, value in template.get("Outputs", {}).items()
        }

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of every resource of one type."""
        return {
            key: value.get("Properties", {})
            for key, value in self.resources.items()
            if value["Type"] == kind
        }

    def properties(self, logical_id: str) -> Any:
        """The properties of one resource."""
        return self.resources[logical_id]["Properties"]

    def resolve(self, value: Any) -> Any:
        """`value` without functions; what is `AWS::NoValue` is gone."""
        if isinstance(value, list):
            items = (self.resolve(item) for item in value)
            return [item for item in items if item is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._ref(argument)
            if name == "Fn::GetAtt":
                return "${" + (argument if isinstance(argument, str) else ".".join(argument)) + "}"
            if name == "Fn::Sub":
                return self._sub(argument)
            if name == "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self._holds(condition) else otherwise)
            if name == "Fn::Join":
                return argument[0].join(map(str, self.resolve(argument[1])))
            if name == "Fn::Split":
                return self.resolve(argument[1]).split(argument[0])
            if name == "Fn::Select":
                return self.resolve(argument[1])[int(argument[0])]
            assert not name.startswith("Fn::"), f"this cannot resolve {name}"
        found = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not None}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        return self.values.get(name, "${" + name + "}")

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.resolve(value) for key, value in own.items()}
        known = {**self.values, **own}
        return re.sub(
            r"\$\{([^!}]+)\}", lambda found: str(known.get(found[1], found[0])), str(text)
        )

    def _holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        if isinstance(condition, str):
            return self._holds(self._conditions[condition])
        [(name, argument)] = condition.items()
        if name == "Fn::Equals":
            left, right = map(self.resolve, argument)
            return str(left) == str(right)
        if name == "Fn::Not":
            return not self._holds(argument[0])
        raise AssertionError(f"this cannot decide {name}")


def policies(role: Any) -> dict[str, list[Any]]:
    """The statements of each inline policy of a role; a policy may be written as text."""
    found = {}
    for policy in role.get("Policies", []):
        document = policy["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        found[policy["PolicyName"]] = document["Statement"]
    return found


def dependencies(template: Template) -> dict[str, set[str]]:
    """The resources that must exist before each resource does."""
    resources = template["Resources"]
    return {
        name: {needed for needed in _mentioned(resource) if needed in resources}
        for name, resource in resources.items()
    }


def _mentioned(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in _mentioned(item)}
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add((item if isinstance(item, list) else item.split("."))[0])
        elif key == "Fn::Sub":
            text, own = item if isinstance(item, list) else (item, {})
            names = {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
            found |= (names - own.keys()) | _mentioned(own)
        elif key == "DependsOn":
            found |= {item} if isinstance(item, str) else set(item)
        else:
            found |= _mentioned(item)
    return found


def everything_before(name: str, needs: dict[str, set[str]]) -> set[str]:
    """What `name` needs, and what that needs, and so on."""
    found: set[str] = set()
    todo = [name]
    while todo:
        new = needs[todo.pop()] - found
        found |= new
        todo.extend(new)
    return found


def circles(needs: dict[str, set[str]]) -> set[str]:
    """The resources that wait for themselves: CloudFormation refuses such a template."""
    return {name for name in needs if name in everything_before(name, needs)}
