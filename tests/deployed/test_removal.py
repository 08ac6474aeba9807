"""Taking the stack away: refused while anybody is held in, and how to go about it."""

from __future__ import annotations

import pytest

from machine import Machine, Outside
from stack import ALICE, BOB, CAROL, PROD, STAGING, Stint


@pytest.fixture(scope="module")
def leaving(world: tuple[Machine, Outside]) -> Stint:
    """A stack that is to go."""
    stint = Stint(*world, name="stint-leaving")
    stint.deploy()
    stint.put_slack_secret()
    stint.put_okta_secret()
    stint.listen()
    return stint


def resources(stint: Stint) -> set[str]:
    """What the stack has, by logical id."""
    formation = stint.client("cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stint.name)
    found = [r for page in pages for r in page["StackResourceSummaries"]]
    return {r["LogicalResourceId"] for r in found if r["ResourceStatus"] != "DELETE_COMPLETE"}


def test_the_stack_goes_only_when_nobody_is_held_in(leaving: Stint) -> None:
    first = leaving.grant(ALICE, "Prod", "1 hour")
    leaving.grant(CAROL, "Staging", "1 hour")
    short = leaving.grant(CAROL, "Prod", "1 minute")

    # Refused, with the number of people, and what to do.
    before = resources(leaving)
    status, reasons = leaving.delete()
    assert status == "DELETE_FAILED", leaving.explain()
    said = "\n".join(reasons)
    assert "2 people are in groups through Stint" in said, said
    assert '{"end_all":{"expect":2}}' in said, said

    # Nothing was lost that removal, the way to it, or whoever watches it needs.
    assert before - resources(leaving) == set()
    leaving.press(BOB, "revoke", first)
    leaving.wait_for_state(first, "ended/revoked")
    assert not leaving.is_member(ALICE, PROD)
    leaving.wait_for_state(short, "ended/elapsed", 120)
    # Access is given again.
    again = leaving.grant(ALICE, "Prod", "1 hour")

    # The documented way.
    refused = leaving.invoke("deescalation", {"end_all": {"expect": 1}})
    assert refused == {
        "refused": "2 people are in groups through Stint, expected 1: nothing was changed"
    }
    assert leaving.standing(again) == "active"
    ended = leaving.invoke("deescalation", {"end_all": {"expect": 2}})
    assert ended == {"people": 2, "grants": 2, "left": 0}
    assert not leaving.is_member(ALICE, PROD) and not leaving.is_member(CAROL, STAGING)

    status, reasons = leaving.delete()
    assert status == "DELETE_COMPLETE", reasons
    # The record outlives the stack.
    assert again in leaving.requests()
