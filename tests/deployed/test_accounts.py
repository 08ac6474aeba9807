"""The runtime connector in an account of its own, which has the Okta secret."""

from __future__ import annotations

import pytest

from machine import OTHER_ACCOUNT, Machine, Outside, refused
from stack import ALICE, BOB, PROD, Stint


@pytest.fixture(scope="module")
def apart(world: tuple[Machine, Outside]) -> Stint:
    """A stack whose connector is in another account."""
    stint = Stint(*world, name="stint-apart")
    stint.deploy_with_the_connector_apart()
    stint.put_slack_secret()
    stint.put_okta_secret(OTHER_ACCOUNT)
    return stint


def test_the_same_road_across_accounts(apart: Stint) -> None:
    apart.listen()
    request = apart.grant(ALICE, "Prod", "1 hour")
    assert apart.is_member(ALICE, PROD)
    apart.press(BOB, "revoke", request)
    apart.wait_for_state(request, "ended/revoked")
    assert not apart.is_member(ALICE, PROD)


def test_the_main_account_has_neither_the_secret_nor_a_connector(apart: Stint) -> None:
    assert f":{OTHER_ACCOUNT}:role/" in apart.outputs["RuntimeConnectorRoleArn"]
    with refused("ResourceNotFoundException"):
        apart.client("secretsmanager").describe_secret(SecretId=apart.outputs["OktaSecretName"])
    formation = apart.client("cloudformation")
    kept = formation.list_stack_resources(StackName=apart.name)["StackResourceSummaries"]
    assert "Connector" not in {resource["LogicalResourceId"] for resource in kept}


def test_an_administrator_of_the_main_account_cannot_assume_it(apart: Stint) -> None:
    with refused():
        apart.client("sts").assume_role(
            RoleArn=apart.outputs["RuntimeConnectorRoleArn"],
            RoleSessionName="test",
            ExternalId=apart.outputs["RuntimeConnectorExternalId"],
        )
