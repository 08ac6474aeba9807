"""The script that takes everybody out with the stack dead: from a table with items as they are really
written, and an Okta that nobody else calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import ACCOUNT, REGION, ROOT, Machine, Outside
from stack import OKTA_SECRET, PROD, STAGING

SCRIPT = ROOT / "infra" / "by-hand" / "end-every-grant"
AWS = ROOT / "target" / "tools" / "aws" / "bin"
ITEMS = ROOT / "shared" / "aws" / "src" / "tests" / "v1" / "items"


class Ruin:
    """A table, and an Okta in which people are whom nobody takes out any more."""

    def __init__(self, machine: Machine, outside: Outside) -> None:
        self.machine, self.outside = machine, outside
        self.dynamo = machine.client("dynamodb")
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.dynamo.create_table(
            TableName="stint",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[{"AttributeName": k, "KeyType": v} for k, v in keys.items()],
        )

    def put(self, name: str, **changes: str) -> None:
        """Puts an item of the fixtures, in which some words are others."""
        text = (ITEMS / f"{name}.json").read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        self.dynamo.put_item(TableName="stint", Item=json.loads(text))

    def add(self, user: str, group: str) -> None:
        """Somebody is in a group in Okta."""
        self.outside.post("okta", {"group": group, "add": user})

    def members(self, group: str) -> list[str]:
        """Who is."""
        return list(self.outside.state()["okta"]["groups"][group]["members"])

    def run(self, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the script, as an administrator of the account."""
        environment = {
            "PATH": f"{AWS}:{os.environ['PATH']}",
            "HOME": str(self.machine.folder),
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.machine.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"OKTA_API_TOKEN": token} if token else {}),
        }
        command = [str(SCRIPT), "--table", "stint", "--okta", f"{self.outside.url}/okta"]
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )


@pytest.fixture
def ruin() -> Iterator[Ruin]:
    """A dead stack: Alice is in Prod with a grant, and in Staging though nobody holds it any more."""
    folder = Path(tempfile.mkdtemp(prefix="stint-ruin-"))
    try:
        with Outside(folder) as outside, Machine() as machine:
            ruin = Ruin(machine, outside)
            ruin.put("request_active")
            ruin.put("membership_held")
            ruin.put("membership_full", **{PROD: STAGING})
            # The memory of a removal, and a holder for whom nothing was ever sent: both are not in.
            out = {"00u1alice": "00u4dave", '"BOOL": true': '"BOOL": false', '"add"': '"remove"'}
            ruin.put("membership_full", **out)
            ruin.put("membership_held", **{**out, "00u1alice": "00u2bob"})
            for group in (PROD, STAGING):
                ruin.add("00u1alice", group)
            yield ruin
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_everybody_is_shown_and_taken_out(ruin: Ruin) -> None:
    standing = [user for user in ruin.members(PROD) if user != "00u1alice"]
    assert standing, "somebody is in without Stint"

    shown = ruin.run()
    assert shown.returncode == 0, shown.stderr
    assert f"00u1alice in {PROD} of myco.okta.com" in shown.stdout
    grant = "alice@myco.example in Prod since 2026-11-24T12:01:02Z until 2026-11-24T12:31:02Z"
    assert grant in shown.stdout
    assert f"00u1alice in {STAGING}" in shown.stdout
    assert "held by no grant any more" in shown.stdout
    assert "00u4dave" not in shown.stdout and "00u2bob" not in shown.stdout
    assert "2 memberships; nothing was changed" in shown.stdout
    assert "00u1alice" in ruin.members(PROD) and "00u1alice" in ruin.members(STAGING)

    refused = ruin.run("--remove")
    assert refused.returncode == 2 and "OKTA_API_TOKEN" in refused.stderr
    wrong = ruin.run("--remove", token="00wrong")
    assert wrong.returncode == 1 and "NOT taken out: Okta answered 401" in wrong.stdout
    assert "2 memberships, 2 of them left" in wrong.stdout

    token = OKTA_SECRET["okta_api_token"]
    nowhere = ruin.run("--remove", "--okta", f"{ruin.outside.url}/elsewhere", token=token)
    assert nowhere.returncode == 1 and "nothing of Okta is at that address" in nowhere.stdout
    assert "00u1alice" in ruin.members(PROD)

    # The first call is refused, as there were too many.
    limit = {"system": "okta", "match": "DELETE /api/v1/groups", "status": 429, "times": 1}
    ruin.outside.post("faults", limit)
    removed = ruin.run("--remove", token=token)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert removed.stdout.count("Okta takes no more for the moment") == 1
    assert removed.stdout.count("taken out") == 2
    assert "2 memberships, 0 of them left" in removed.stdout
    assert ruin.members(PROD) == standing
    assert "00u1alice" not in ruin.members(STAGING)


def test_an_item_of_another_version_is_not_passed_over(ruin: Ruin) -> None:
    text = json.loads((ITEMS / "membership_held.json").read_text())
    text["v"] = {"N": "2"}
    ruin.dynamo.put_item(TableName="stint", Item=text)
    refused = ruin.run()
    assert refused.returncode == 2
    assert f"membership#myco.okta.com#00u1alice#{PROD}" in refused.stderr
