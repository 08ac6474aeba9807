"""What the tests of a deployed stack have in common: one MiniStack, and one stack in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from machine import Machine, Outside, everything
from stack import Stint


@pytest.fixture(scope="session")
def world() -> Iterator[tuple[Machine, Outside]]:
    """MiniStack, and the simulated Slack and Okta."""
    with everything() as (machine, outside):
        yield machine, outside


@pytest.fixture(scope="session")
def deployed(world: tuple[Machine, Outside]) -> Stint:
    """A stack called `stint`, deployed and with both secrets."""
    stint = Stint(*world)
    stint.deploy()
    stint.put_slack_secret()
    stint.put_okta_secret()
    return stint


@pytest.fixture
def stint(deployed: Stint) -> Stint:
    """That stack, to which Slack sends."""
    deployed.listen()
    return deployed
