"""In which order resources come, and so in which order they go."""

from __future__ import annotations

import pytest

from templates import CONNECTOR, circles, dependencies, everything_before, read, stint

GUARD = "NobodyHeldIn"


def test_no_resource_waits_for_itself() -> None:
    assert circles(dependencies(stint())) == set()
    assert circles(dependencies(read(CONNECTOR))) == set()


def test_a_circle_would_be_seen() -> None:
    template = stint()
    # A role that waits for something of its own function.
    template["Resources"]["ApprovalRole"]["DependsOn"] = "ApprovalReadsFailed"

    assert {"Approval", "ApprovalReadsFailed", "ApprovalRole"} <= circles(dependencies(template))


def test_the_guard_goes_before_everything_else() -> None:
    # Whatever the guard does not depend on is deleted beside it, and lost when it refuses.
    needs = dependencies(stint())

    assert needs.keys() - everything_before(GUARD, needs) == {GUARD}


@pytest.mark.parametrize("forgotten", ["AssumeConnector", "DeescalationSweep", "DeescalationDrift", "ApiRoute"])
def test_something_forgotten_by_the_guard_would_be_seen(forgotten: str) -> None:
    template = stint()
    template["Resources"][GUARD]["DependsOn"].remove(forgotten)

    needs = dependencies(template)

    assert forgotten in needs.keys() - everything_before(GUARD, needs)


def test_the_guard_asks_deescalation_and_does_not_wait_for_long() -> None:
    resources = stint()["Resources"]
    guard = resources[GUARD]
    [flows] = [n for n, r in resources.items() if r["Type"] == "AWS::Lambda::LayerVersion"]

    assert guard["Type"] == "Custom::NobodyHeldIn"
    assert guard["Properties"] == {
        "ServiceToken": {"Fn::GetAtt": ["Deescalation", "Arn"]},
        # Ten seconds of counting, and three offers of the answer.
        "ServiceTimeout": 300,
        # Another layer makes an update of it, which takes back what a deletion had closed.
        "Flows": {"Ref": flows},
    }
