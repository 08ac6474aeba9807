"""The road from Slack to Okta and back, through the API's address, with the real binaries."""

from __future__ import annotations

import time

from machine import wait_until
from stack import ALICE, BOB, CAROL, FUNCTIONS, PROD, STAGING, Stint, words


def test_asked_approved_in_and_revoked(stint: Stint) -> None:
    started = time.time()
    request = stint.ask(ALICE, "Prod", "1 hour", "fixing INC-42: it is down")
    assert "fixing INC-42: it is down" in words(stint.card(stint.request(request)))
    assert not stint.is_member(ALICE, PROD)

    stint.press(BOB, "approve", request)
    stint.wait_for_state(request, "active")
    assert stint.is_member(ALICE, PROD)
    card = lambda: words(stint.card(stint.request(request)))  # noqa: E731
    stint.wait_for_words("the card is drawn", card, "Expires at", "Approved by <@U02BOB>")
    [schedule] = stint.schedules()
    assert request in schedule

    stint.press(BOB, "revoke", request)
    stint.wait_for_state(request, "ended/revoked")
    assert not stint.is_member(ALICE, PROD)
    stint.wait_for_words("the card is drawn again", card, "Revoked by <@U02BOB> at")
    wait_until("its schedule is gone", lambda: not stint.schedules(), 30, stint.explain)

    audit = stint.audit(request)
    steps = ["request", "approve", "escalate", "activate", "revoke", "end"]
    assert [entry["step"] for entry in audit] == steps
    assert audit[0]["actor"]["slack"] == ALICE
    assert audit[1]["actor"]["slack"] == BOB
    assert audit[1]["policy"] == ["approvers-decide"]
    for function in FUNCTIONS:
        log = lambda f=function: stint.log(f, since=started)  # noqa: E731
        wait_until(f"{function} has a log", log, 30, stint.explain)


def test_a_schedule_ends_a_grant_and_a_sweep_the_one_whose_schedule_was_lost(
    stint: Stint,
) -> None:
    stint.set_sweep(False)
    lost = stint.grant(CAROL, "Staging", "1 minute")
    stint.delete_schedules()
    kept = stint.grant(ALICE, "Prod", "1 minute")
    assert len(stint.schedules()) == 1

    # The schedule ends its own grant; nothing ends the other one.
    stint.wait_for_state(kept, "ended/elapsed", 90)
    late = time.time() - stint.ends_at(kept)
    assert 0 <= late <= 90, f"{late} s late"
    assert not stint.is_member(ALICE, PROD)
    assert stint.ends_at(lost) < time.time()
    assert stint.standing(lost) == "active" and stint.is_member(CAROL, STAGING)

    # The sweep ends what is due, whatever became of schedules.
    stint.set_sweep(True)
    stint.wait_for_state(lost, "ended/elapsed", 90)
    assert not stint.is_member(CAROL, STAGING)
    alarm = lambda: stint.has_alarm_for("deescalation", "OverdueSeconds")  # noqa: E731
    wait_until("the alarm hears of it", alarm, 30, stint.explain)
    for request in (kept, lost):
        assert stint.audit(request)[-1]["actor"]["function"] == "deescalation"


def test_an_update_leaves_a_grant_that_is_under_way_its_end(stint: Stint) -> None:
    request = stint.grant(ALICE, "Prod", "1 minute")
    ends = stint.ends_at(request)

    # New flows without that target, new code, and another value of a variable.
    flows = stint.flows / "flows.toml"
    before = flows.read_text()
    flows.write_text(before[: before.index("[[flow.target]]")] + target("Staging only"))
    stint.version = "2"
    stint.deploy(LogRetentionDays="30")
    try:
        seen = stint.slack(ALICE, command="/access")
        assert "Staging only" in words(seen["view"]) and "Prod" not in words(seen["view"])
        stint.wait_for_state(request, "ended/elapsed", 120)
        late = time.time() - ends
        assert 0 <= late <= 90, f"{late} s late"
        assert stint.ends_at(request) == ends
        assert not stint.is_member(ALICE, PROD)
    finally:
        flows.write_text(before)
        stint.version = ""
        stint.deploy()


def target(label: str) -> str:
    """A target of the flows file."""
    return f'[[flow.target]]\nlabel = "{label}"\ngroup_id = "{STAGING}"\n'
