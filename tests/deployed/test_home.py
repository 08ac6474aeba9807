"""The Home tab: approval publishes it, and whoever changes what it shows has it drawn again."""

from __future__ import annotations

from stack import ALICE, BOB, PROD, Stint


def test_a_home_follows_whatever_happens_to_what_it_shows(stint: Stint) -> None:
    request = stint.ask(ALICE, "Prod", "1 minute")
    # What somebody asked for, and what waits for somebody, are found in an index each.
    stint.open_home(ALICE)
    stint.wait_for_home(ALICE, "cancel", request)
    stint.open_home(BOB)
    stint.wait_for_home(BOB, "approve", request)

    # approval has them drawn after a decision; nobody else does, because escalation fails meanwhile.
    with stint.broken("escalation"):
        stint.press_in_home(BOB, "approve", request)
        stint.wait_for_state(request, "approved")
        stint.wait_for_home(ALICE, "cancel", request, offered=False)
        stint.wait_for_home(BOB, "approve", request, offered=False)

    # escalation lets her in and asks approval to draw them.
    stint.invoke("escalation", {"v": 1, "request": request})
    stint.wait_for_home(ALICE, "done", request)
    stint.wait_for_home(BOB, "revoke", request)
    assert stint.is_member(ALICE, PROD)

    # deescalation takes her out when the time is over, and asks too. Nobody has pressed anything.
    stint.wait_for_state(request, "ended/elapsed", 120)
    stint.wait_for_home(ALICE, "done", request, offered=False)
    stint.wait_for_home(BOB, "revoke", request, offered=False)
    assert not stint.is_member(ALICE, PROD)
