"""Takes every statement out of the deployed stack in turn, and sees where the road notices it.

    python tests/deployed/statements.py [--only WORD...]

The stack is deployed with its runtime connector in an account of its own, so that both sides must allow
what crosses the border. Then, for each statement of each role's policies, of each role's trust, of the
connector's, and of the policies of functions and queues: it is taken out, every function is started cold,
the whole road is walked, and it is put back. One line is printed for each: the statement, and the first
step that failed. A statement whose absence no step notices is too much, or not tested: NOT NOTICED, and
the exit status is 1. docs/statements.md is written: anew, or, after `--only`, the lines of those alone,
and without the lines of statements that are no more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from machine import OTHER_ACCOUNT, ROOT, everything, wait_until
from stack import ALICE, BOB, CAROL, FUNCTIONS, PROD, STAGING, Stint, words

NOT_NOTICED = "NOT NOTICED"
WRITTEN = ROOT / "docs" / "statements.md"


@dataclass
class Statement:
    """A statement that can be taken out and put back."""

    where: str
    name: str
    take_out: Callable[[], object]
    put_back: Callable[[], object]


class Failed(Exception):
    """A step of the road that failed; its argument is the step's name."""


def main() -> None:
    """Deploys, takes out, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[""], help="only those whose line has one of these words"
    )
    only: list[str] = parser.parse_args().only
    with everything() as (machine, outside):
        stint = Stint(machine, outside)
        stint.deploy_with_the_connector_apart()
        stint.put_slack_secret()
        stint.put_okta_secret(OTHER_ACCOUNT)
        stint.listen()
        must_be_whole(stint)
        every = list(statements(stint))
        chosen = [s for s in every if any(word in line(s) for word in only)]
        found = {row(s): try_without(stint, s) for s in chosen}
        must_be_whole(stint)
    write([row(s) for s in every], found)
    if NOT_NOTICED in found.values():
        sys.exit(1)


def line(statement: Statement) -> str:
    """How a statement is called in what is printed."""
    return f"{statement.where}: {statement.name}"


def row(statement: Statement) -> str:
    """How the line of a statement begins in the table of docs/statements.md."""
    return f"| {statement.where} | `{statement.name}` "


def must_be_whole(stint: Stint) -> None:
    """With every statement in its place, the road can be walked."""
    clean(stint)
    noticed = walk(stint)
    if noticed:
        sys.exit(f"with every statement in its place the road fails: {noticed}")


def try_without(stint: Stint, statement: Statement) -> str:
    """The first step that fails without a statement; prints it too."""
    started = time.monotonic()
    clean(stint)
    statement.take_out()
    try:
        step = walk(stint) or NOT_NOTICED
    finally:
        statement.put_back()
    print(f"{line(statement)} -> {step} ({time.monotonic() - started:.0f} s)", flush=True)
    return step


# The statements.


def statements(stint: Stint) -> Iterator[Statement]:
    """Every statement of the deployed stack."""
    for account, stack in stint.stacks():
        formation = stint.machine.client("cloudformation", account)
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for resource in (r for page in pages for r in page["StackResourceSummaries"]):
            yield from of_resource(
                stint,
                account,
                resource["ResourceType"],
                resource["LogicalResourceId"],
                resource["PhysicalResourceId"],
            )


def of_resource(
    stint: Stint, account: str, kind: str, logical_id: str, name: str
) -> Iterator[Statement]:
    """The statements of one resource."""
    if kind == "AWS::IAM::Role":
        yield from of_role(stint.machine.client("iam", account), logical_id, name)
    elif kind == "AWS::Lambda::Function":
        yield from of_function(stint.machine.client("lambda", account), logical_id, name)
    elif kind == "AWS::SQS::Queue":
        found = stint.machine.client("sqs", account).get_queue_attributes(
            QueueUrl=name, AttributeNames=["Policy"]
        )
        if found.get("Attributes", {}).get("Policy"):
            raise NotImplementedError(f"{logical_id} has a policy: take it out here")


def of_role(iam: Any, logical_id: str, role: str) -> Iterator[Statement]:
    """The statements of a role: whom it trusts, and what it may do."""

    def setter(document: dict[str, Any]) -> Callable[[], object]:
        text = json.dumps(document)
        return lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=text)

    def putter(policy: str, document: dict[str, Any]) -> Callable[[], object]:
        if not document["Statement"]:
            return lambda: iam.delete_role_policy(RoleName=role, PolicyName=policy)
        text = json.dumps(document)
        return lambda: iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)

    trust = parsed(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    for sid, rest in each_taken_out(trust):
        yield Statement(f"{logical_id} (trust)", sid, setter(rest), setter(trust))
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=role, PolicyName=policy)
        whole = parsed(found["PolicyDocument"])
        for sid, rest in each_taken_out(whole):
            yield Statement(logical_id, sid, putter(policy, rest), putter(policy, whole))
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    if attached:
        raise NotImplementedError(f"{logical_id} has managed policies: take them out here")


def of_function(lambdas: Any, logical_id: str, function: str) -> Iterator[Statement]:
    """The statements of a function's own policy."""
    try:
        policy = json.loads(lambdas.get_policy(FunctionName=function)["Policy"])
    except lambdas.exceptions.ResourceNotFoundException:
        return
    for number, statement in enumerate(policy["Statement"], 1):
        sid = statement["Sid"]
        again = {
            "FunctionName": function,
            "StatementId": sid,
            "Action": statement["Action"],
            "Principal": statement["Principal"]["Service"],
            "SourceArn": statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        }
        yield Statement(
            f"{logical_id} (policy of the function)",
            f"{again['Principal']} ({number})",
            lambda sid=sid: lambdas.remove_permission(FunctionName=function, StatementId=sid),
            lambda again=again: lambdas.add_permission(**again),
        )


def parsed(document: Any) -> dict[str, Any]:
    """A policy document as IAM gives it."""
    return dict(json.loads(unquote(document)) if isinstance(document, str) else document)


def each_taken_out(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each statement its Sid, and the document without it."""
    every = document["Statement"]
    for taken in every:
        rest = [statement for statement in every if statement is not taken]
        yield taken["Sid"], {**document, "Statement": rest}


# The road.


def walk(stint: Stint) -> str | None:
    """Walks the road with cold functions; the name of the first step that fails, if one does."""
    stint.cold_start()
    try:
        Road(stint).walk()
    except Failed as failed:
        return str(failed)
    return None


def clean(stint: Stint) -> None:
    """Makes everything new: functions, table, groups, schedules, queues."""
    stint.set_sweep(False)
    # What they are at is dropped.
    stint.cold_start()
    dynamodb, table = stint.client("dynamodb"), stint.outputs["TableName"]
    for item in stint.items():
        key = {name: {"S": item[name]} for name in ("pk", "sk")}
        dynamodb.delete_item(TableName=table, Key=key)
    for group in (PROD, STAGING):
        for user in (ALICE, BOB, CAROL):
            if stint.is_member(user, group):
                okta = stint.outside.state()["slack"]["users"][user]["okta"]
                stint.outside.post("okta", {"group": group, "remove": okta})
    stint.delete_schedules()
    for queue in ("ApprovalFailed", "EscalationFailed", "DeescalationFailed", "ScheduleFailed"):
        stint.client("sqs").purge_queue(QueueUrl=stint.resource(queue))


class Road:
    """The road, step by step. Everything that takes a minute takes the same minute."""

    def __init__(self, stint: Stint) -> None:
        self.stint = stint
        self.started = time.time()

    def walk(self) -> None:
        """Every step, the quick ones first."""
        stint = self.stint
        self.step("Slack's click is answered", self.a_click_is_answered)
        asks = [(ALICE, "Prod", "1 minute"), (CAROL, "Staging", "1 minute")]
        first, second = self.step(
            "a request has a card", lambda: [stint.ask(*asked) for asked in asks]
        )
        for request in (first, second):
            self.step("an approver lets somebody in", lambda r=request: self.approve(r, BOB))
            self.step("the card says until when", lambda r=request: self.card_says(r, "Expires at"))
        self.step("the end has a schedule", lambda: self.has_schedule(first))
        self.step("a Home shows what somebody holds", lambda: self.opens_home(ALICE, "done", first))
        self.step("a revocation takes somebody out", lambda: self.revoke(second))
        self.step("the card says by whom", lambda: self.card_says(second, "Revoked by"))
        self.step("its schedule is taken away", lambda: self.has_no_schedule(second))
        second = self.step("a second grant", lambda: stint.grant(CAROL, "Staging", "1 minute"))
        self.step("a schedule is lost", lambda: self.lose_schedule(second))
        third = self.step("a third request", lambda: stint.ask(BOB, "Prod", "1 hour"))
        self.step(
            "a Home shows what waits for somebody",
            lambda: self.opens_home(CAROL, "approve", third),
        )
        self.step(
            "a Home shows what somebody asked for", lambda: self.opens_home(BOB, "cancel", third)
        )
        with ExitStack() as broken:
            broken.enter_context(stint.broken("escalation"))
            broken.enter_context(stint.broken("deescalation"))
            self.step("approval decides", lambda: self.is_approved(third))
            self.step(
                "approval has Homes drawn again",
                lambda: self.home_offers(CAROL, "approve", third, False),
            )
            nothing = json.dumps({"v": 1, "request": "none"})
            stint.client("lambda").invoke(
                FunctionName=stint.function("deescalation"),
                InvocationType="Event",
                Payload=nothing,
            )
            for queue in ("EscalationFailed", "DeescalationFailed"):
                self.step(f"{queue} keeps what failed", lambda q=queue: self.is_kept(q))
        # Here every one has ended, if only by failing: only then is its log there, and deescalation stays
        # at what it cannot finish.
        for function in FUNCTIONS:
            self.step(f"{function} writes its log", lambda f=function: self.has_log(f))
        with stint.broken("approval"):
            self.step("who clicked in vain is told", lambda: self.is_told(first))
        self.step("ScheduleFailed keeps what could not fire", self.schedule_fails)
        self.step("a schedule ends a grant", lambda: self.ends(first, ALICE, PROD))
        self.step(
            "deescalation has Homes drawn again",
            lambda: self.home_offers(ALICE, "done", first, False),
        )
        self.step("the sweep can be switched on", lambda: stint.set_sweep(True))
        self.step("a sweep ends a grant", lambda: self.ends(second, CAROL, STAGING))
        self.step("a sweep hands on what escalation lost", lambda: self.gets_in(third))
        # Nobody has pressed anything since, so approval draws them only because it is asked to.
        self.step(
            "escalation has Homes drawn again", lambda: self.home_offers(BOB, "done", third, True)
        )

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        """Does one step; whatever goes wrong in it is its failure."""
        try:
            return act()
        except Exception as error:
            raise Failed(name) from error

    def a_click_is_answered(self) -> None:
        seen = self.stint.slack(ALICE, command="/access")
        assert seen["status"] == 200 and seen["view"], seen

    def approve(self, request: str, approver: str) -> None:
        self.stint.press(approver, "approve", request)
        self.stint.wait_for_state(request, "active", 10)

    def is_approved(self, request: str) -> None:
        self.stint.press(CAROL, "approve", request)
        self.stint.wait_for_state(request, "approved", 10)

    def revoke(self, request: str) -> None:
        self.stint.press(BOB, "revoke", request)
        self.stint.wait_for_state(request, "ended/revoked", 10)

    def card_says(self, request: str, text: str) -> None:
        def said() -> bool:
            card = words(self.stint.card(self.stint.request(request)))
            return text in card and "Removing" not in card

        wait_until("it does", said, 10)

    def opens_home(self, user: str, action: str, request: str) -> None:
        self.stint.open_home(user)
        self.home_offers(user, action, request, True)

    def home_offers(self, user: str, action: str, request: str, offered: bool) -> None:
        self.stint.wait_for_home(user, action, request, offered, 10)

    def has_schedule(self, request: str) -> None:
        wait_until("it has", lambda: any(request in s for s in self.stint.schedules()), 5)

    def has_no_schedule(self, request: str) -> None:
        wait_until("it has none", lambda: all(request not in s for s in self.stint.schedules()), 5)

    def lose_schedule(self, request: str) -> None:
        group = self.stint.resource("Schedules")
        for name in self.stint.schedules():
            if request in name:
                self.stint.client("scheduler").delete_schedule(GroupName=group, Name=name)

    def has_log(self, function: str) -> None:
        wait_until("it has", lambda: self.stint.log(function, self.started), 5)

    def is_kept(self, queue: str) -> None:
        wait_until("it is", lambda: self.stint.queue(queue), 10)

    def is_told(self, request: str) -> None:
        told = "also not when it was tried again"
        before = self.stint.heard(BOB).count(told)
        self.stint.press(BOB, "revoke", request)
        wait_until("he is", lambda: self.stint.heard(BOB).count(told) > before, 12)

    def schedule_fails(self) -> None:
        target = self.stint.arn("lambda", f"function:{self.stint.function('approval')}")
        self.stint.client("scheduler").create_schedule(**self.stint.schedule_now(Arn=target))
        self.is_kept("ScheduleFailed")

    def ends(self, request: str, user: str, group: str) -> None:
        seconds = max(0.0, self.stint.ends_at(request) - time.time()) + 20
        self.stint.wait_for_state(request, "ended/elapsed", seconds)
        assert not self.stint.is_member(user, group)

    def gets_in(self, request: str) -> None:
        self.stint.wait_for_state(request, "active", 75)


# The page.

PAGE = """# What each statement is for

`tests/deployed/statements.py` deploys the stack on MiniStack, with IAM enforced and the runtime connector
in an account of its own. It takes each statement out in turn, starts every function cold, walks the whole
road from Slack to Okta and back with the real functions, and puts the statement back. Below is the first
step that failed without it. It has written this page itself; run it again after a change of a role.

A statement that is taken out whole says nothing about its single actions. The statements `UseKey` are not
here: they are made only for a stack with a KMS key of its own. Where the connector is in the stack's own
account, AWS lets its trust policy alone suffice; the statements `AssumeRuntimeConnector` are needed where it
is in another one.

| of | statement | without it |
|---|---|---|
"""


def write(every: list[str], found: dict[str, str]) -> None:
    """Writes docs/statements.md: a line for each row of `every`, with the step that was found now, or
    else as it stood there."""
    lines = WRITTEN.read_text().removeprefix(PAGE).splitlines(keepends=True)
    rows = {line.rsplit("|", 2)[0]: line for line in lines}
    for key, step in found.items():
        rows[key] = f"{key}| {step if step == NOT_NOTICED else f'fails: {step}'} |\n"
    WRITTEN.write_text(PAGE + "".join(rows[key] for key in every if key in rows))


if __name__ == "__main__":
    main()
