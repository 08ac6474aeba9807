"""What fails for good: a click, an addition, a removal. Nothing is swallowed."""

from __future__ import annotations

from machine import wait_until
from stack import ALICE, BOB, CAROL, PROD, STAGING, Stint


def test_a_click_that_fails_for_good_is_told_to_whoever_clicked(stint: Stint) -> None:
    request = stint.ask(ALICE, "Prod", "1 hour")
    with stint.broken("approval"):
        seen = stint.press(BOB, "approve", request)
        assert seen["status"] == 200
        # Lambda tries again, puts the event into ApprovalFailed, and approval reads it there.
        told = "could not be carried out, also not when it was tried again"
        stint.wait_for_words("Bob is told", lambda: stint.heard(BOB), told)
    wait_until("nothing is left in the queue", lambda: stint.queue("ApprovalFailed") == 0)
    assert stint.queue("ApprovalLost") == 0
    assert stint.standing(request) == "pending"
    assert not stint.is_member(ALICE, PROD)
    # Pressed again, it is carried out.
    stint.press(BOB, "approve", request)
    stint.wait_for_state(request, "active")
    stint.press(BOB, "revoke", request)
    stint.wait_for_state(request, "ended/revoked")


def test_what_fails_for_good_is_kept_and_made_up_for_by_a_sweep(stint: Stint) -> None:
    leaving = stint.grant(CAROL, "Staging", "1 hour")
    coming = stint.ask(ALICE, "Prod", "1 hour")
    before = {name: stint.queue(name) for name in ("EscalationFailed", "DeescalationFailed")}
    with stint.broken("escalation"), stint.broken("deescalation"):
        stint.press(BOB, "approve", coming)
        stint.press(BOB, "revoke", leaving)
        for name, kept in before.items():
            more = lambda name=name, kept=kept: stint.queue(name) > kept  # noqa: E731
            wait_until(f"the event is in {name}", more, 30, stint.explain)
    assert stint.standing(coming) == "approved" and not stint.is_member(ALICE, PROD)
    assert stint.standing(leaving) == "deescalating/revoked" and stint.is_member(CAROL, STAGING)

    # What is in the table is due a minute after somebody took it up, and the sweep takes it up again.
    stint.wait_for_state(coming, "active", 180)
    assert stint.is_member(ALICE, PROD)
    stint.wait_for_state(leaving, "ended/revoked", 180)
    assert not stint.is_member(CAROL, STAGING)
    stint.press(BOB, "revoke", coming)
    stint.wait_for_state(coming, "ended/revoked")
