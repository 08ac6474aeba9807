"""The page of the local run, used by two people at once, each at their own browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from stage import ALICE, BOB, ERRORS, GENERAL, HOME, MESSAGES, PROD, REQUESTS, STAGING, Person, Stage

ALICE_IN_OKTA = "00u1alice"
MINUTES = 60
LAPTOP = {"width": 1280, "height": 740}
PHONE = {"width": 390, "height": 844}


def gone(found: Locator) -> None:
    """There is none, or none any more."""
    expect(found).to_have_count(0)


def test_whoever_opens_it_is_led_through_a_whole_request(stage: Stage) -> None:
    anybody = stage.open(ALICE)
    expect(anybody.test("road-title")).to_contain_text("Try it")
    stations = anybody.test("station")
    expect(stations).to_have_count(5)

    # Each step leads to the button, and leaves pressing it to whoever looks.
    anybody.test("guide-ask").click()
    expect(anybody.test("command")).to_have_value("/access prod 1h fixing INC-42")
    expect(anybody.test("send")).to_be_focused()
    anybody.page.keyboard.press("Enter")
    anybody.submit()
    expect(stations.nth(0)).to_contain_text("Alice asked")
    expect(stations.nth(1)).to_have_attribute("data-mark", "next")

    anybody.test("guide-answer").click()
    expect(anybody.test("whoami")).to_contain_text(BOB)
    expect(anybody.page.locator("[data-action=approve]")).to_be_focused()
    anybody.page.keyboard.press("Enter")
    expect(stations.nth(2)).to_contain_text("Alice was added")
    expect(stations.nth(3)).to_have_attribute("data-mark", "now")
    expect(anybody.test("news")).to_contain_text("Alice is in Prod admins")

    anybody.test("guide-end").click()
    expect(stations.nth(4)).to_contain_text("taken out")
    expect(anybody.test("news")).to_contain_text("Alice is out of Prod admins")
    for station in stations.all():
        expect(station).to_have_attribute("data-mark", "done")
    expect(anybody.test("once-more")).to_be_visible()


def test_alice_asks_and_bob_approves_until_it_ends(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.freeze()
    alice.says("/access prod 1h fixing INC-42: checkout is down")
    expect(alice.field("target")).to_have_value("Prod")
    expect(alice.field("reason")).to_have_value("fixing INC-42: checkout is down")
    expect(alice.field("duration")).to_have_value("1 hour")
    alice.picture(alice.form, "form")
    alice.submit()

    # Bob sees it without having done anything.
    card = bob.sees("Okta Access request by @Alice", "Prod", "fixing INC-42: checkout is down", "1 hour")
    bob.picture(card, "card-pending")
    gone(bob.member(PROD, ALICE_IN_OKTA))
    # Nobody decides on their own request; only Alice is told so.
    alice.press("approve")
    alice.is_told("Nobody decides on their own request")
    gone(bob.test("ephemeral"))

    bob.press("approve")
    card = bob.sees("Expires at", "Approved by @Bob")
    gone(card.locator("[data-action=approve]"))
    bob.picture(card, "card-active")
    for person in (alice, bob):
        expect(person.member(PROD, ALICE_IN_OKTA)).to_have_class(re.compile(r"\bheld\b"))
        expect(person.member(PROD, "00u4dave")).not_to_have_class(re.compile(r"\bheld\b"))
    timeline = bob.test("timeline").locator("[data-step]")
    for step in ("request", "approve", "escalate", "activate"):
        expect(timeline.and_(bob.page.locator(f"[data-step={step}]")).first).to_be_visible()
    expect(timeline.filter(has_text="policy approvers-decide")).to_have_count(1)
    for scheme in ("light", "dark"):
        stage.open(BOB, viewport=LAPTOP, device_scale_factor=1, color_scheme=scheme).picture(None, f"page-{scheme}")

    # What Alice has is in her own messages, and she is warned before it ends.
    alice.go(MESSAGES)
    alice.sees("You have Prod until")
    alice.wait(51 * MINUTES)
    alice.picture(alice.sees("Your access to Prod ends at"), "message-ending")
    alice.wait(9 * MINUTES + 1)
    alice.sees("Your access to Prod has ended")
    gone(alice.member(PROD, ALICE_IN_OKTA))
    expect(bob.member(PROD, "00u4dave")).to_be_visible()
    bob.picture(bob.sees("Expired at", "Approved by @Bob"), "card-ended")

    # "Ask again" fills in the same.
    alice.press("again")
    expect(alice.field("target")).to_have_value("Prod")
    expect(alice.field("reason")).to_have_value("fixing INC-42: checkout is down")
    alice.submit()
    bob.sees("Okta Access request by @Alice", "Open until")


def test_bob_denies_with_a_reason(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.freeze()
    alice.asks("/access staging 30m a look at the logs")
    bob.press("deny")
    expect(bob.form.get_by_role("heading")).to_have_text("Deny the request")
    bob.field("note").fill("Use <b>Grafana</b> & ask there first")
    bob.picture(bob.form, "form-deny")
    bob.submit()
    card = bob.sees("Denied by @Bob", "Use <b>Grafana</b> & ask there first")
    gone(card.get_by_role("button"))
    bob.picture(card, "card-denied")
    alice.go(MESSAGES)
    alice.sees("request was denied by @Bob", "Use <b>Grafana</b> & ask there first")
    gone(alice.member(STAGING, ALICE_IN_OKTA))


def test_bob_approves_with_a_note_and_revokes(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.asks("/access staging 30m a look at the logs")
    bob.press("approve_note")
    bob.field("note").fill("only to read")
    bob.submit()
    bob.sees("Approved by @Bob", "only to read")
    expect(alice.member(STAGING, ALICE_IN_OKTA)).to_be_visible()

    # Revoking asks first, and "Keep" keeps.
    bob.press("revoke")
    asked = bob.test("confirm")
    expect(asked).to_contain_text("Revoke access?")
    bob.test("confirm-no").click()
    gone(asked)
    expect(bob.member(STAGING, ALICE_IN_OKTA)).to_be_visible()
    bob.press("revoke")
    bob.test("confirm-yes").click()
    gone(bob.member(STAGING, ALICE_IN_OKTA))
    bob.sees("Revoked by @Bob")


def test_both_live_with_it_in_app_home(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB, HOME)
    alice.freeze()
    alice.go(HOME)
    home = alice.test("home")
    alice.press("ask")
    alice.choose("target", "Staging")
    alice.choose("duration", "30 minutes")
    alice.field("reason").fill("a look at the logs")
    alice.submit()
    expect(home).to_contain_text("Staging")
    expect(home.locator("[data-action=cancel]")).to_be_visible()

    # It waits for Bob in his own Home, kept up to date, and is approved from there.
    waits = bob.test("home")
    expect(waits).to_contain_text("a look at the logs")
    bob.press("approve", waits)
    expect(bob.member(STAGING, ALICE_IN_OKTA)).to_be_visible()
    gone(waits.locator("[data-action=approve]"))

    # Where much changes at once, a Home is drawn once more when all of it can be seen: at the latest with
    # the sweep a minute later.
    alice.wait(MINUTES)
    expect(home.locator("[data-action=done]")).to_be_visible()
    # Alice extends it from hers; Bob approves that too.
    alice.press("extend", home)
    alice.choose("duration", "1 hour")
    alice.submit()
    expect(waits.locator("[data-action=approve]")).to_be_visible()
    expect(waits).to_contain_text("Who holds what")
    bob.picture(waits, "home-bob")
    expect(home.locator("[data-action=cancel]")).to_be_visible()
    alice.picture(home, "home-alice")
    bob.press("approve", waits)
    expect(alice.test("request").filter(has_text="superseded")).to_have_count(1)
    alice.wait(MINUTES)
    expect(home).to_contain_text("a newer request took over")
    expect(home.locator("[data-action=done]")).to_have_count(1)

    # She is done: it is gone at once.
    alice.press("done", home)
    gone(alice.member(STAGING, ALICE_IN_OKTA))
    alice.wait(MINUTES)
    gone(home.locator("[data-action=done]"))
    expect(home.locator("[data-action=again]").first).to_be_visible()


def test_alice_takes_it_back_and_nobody_answers(stage: Stage) -> None:
    alice, bob = stage.open(ALICE, MESSAGES), stage.open(BOB)
    alice.freeze()
    alice.asks("/access staging 30m never mind")
    bob.sees("never mind", "Open until")
    alice.press("cancel")
    card = bob.sees("Cancelled by @Alice")
    gone(card.get_by_role("button"))
    bob.picture(card, "card-cancelled")

    alice.asks("/access staging 30m does anybody read this?")
    # Whoever decides is reminded in the card's thread, which the channel sees too.
    alice.wait(61 * MINUTES)
    replies = bob.messages().filter(has_text="Still waiting for an answer")
    expect(replies.and_(bob.page.locator("[data-kind=reply]"))).to_have_count(1)
    expect(replies.and_(bob.page.locator("[data-kind=broadcast]"))).to_have_count(1)
    alice.wait(23 * 60 * MINUTES)
    card = bob.card("Okta Access request by @Alice")
    bob.picture(bob.sees("does anybody read this?", "nobody answered", card="nobody answered"), "card-expired")
    gone(card.get_by_role("button"))
    alice.sees("request has expired")


def test_a_fault_is_switched_on_and_the_card_tells(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.freeze()
    # Okta does not take the removal: the card says so, and it is tried again until it is done.
    alice.asks("/access prod 30m fixing INC-42")
    bob.press("approve")
    expect(bob.member(PROD, ALICE_IN_OKTA)).to_be_visible()
    alice.flip("Okta cannot remove", on=True)
    alice.wait(31 * MINUTES)
    card = bob.sees("Removing…", "⚠️", "It is tried again until it is done.")
    expect(bob.member(PROD, ALICE_IN_OKTA)).to_be_visible()
    bob.picture(card, "card-deescalating")
    bob.go(ERRORS)
    bob.sees("Sorry, an error occurred!", "Alice")
    bob.go(REQUESTS)
    alice.flip("Okta cannot remove", on=False)
    alice.wait(2 * MINUTES)
    bob.sees("Expired at")
    gone(bob.member(PROD, ALICE_IN_OKTA))

    # Okta does not take the addition: in the end nobody was added, and Alice may ask again.
    alice.flip("Okta cannot add", on=True)
    alice.asks("/access prod 30m fixing INC-43")
    bob.press("approve")
    bob.picture(bob.sees("adding to Okta…", "Approved by @Bob"), "card-escalating")
    alice.wait(17 * MINUTES)
    bob.picture(bob.sees("nobody was added", "INC-43"), "card-failed")
    gone(bob.member(PROD, ALICE_IN_OKTA))
    alice.test("faults-clear").click()
    gone(alice.page.locator("[data-fault]"))


def test_the_keyboard_is_enough(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    keys = alice.page.keyboard
    alice.test("command").focus()
    keys.type("/access")
    keys.press("Enter")
    # The form has the focus, holds it, and is filled in without a mouse.
    expect(alice.field("target")).to_be_focused()
    keys.press("ArrowDown")
    expect(alice.form.get_by_role("option", name="Staging")).to_be_visible()
    keys.press("Escape")
    gone(alice.form.get_by_role("option"))
    expect(alice.form).to_be_visible()
    keys.type("stag")
    expect(alice.form.get_by_role("option")).to_have_count(1)
    keys.press("Enter")
    expect(alice.field("target")).to_have_value("Staging")
    expect(alice.form).to_contain_text("Staging is given for at most 4 hours")
    keys.press("Tab")
    expect(alice.field("reason")).to_be_focused()
    keys.type("without a mouse")
    keys.press("Tab")
    keys.type("30")
    expect(alice.form.get_by_role("option")).to_have_count(1)
    keys.press("Enter")
    expect(alice.field("duration")).to_have_value("30 minutes")
    keys.press("Tab")
    expect(alice.form.locator("[data-test=close]")).to_be_focused()
    keys.press("Tab")
    expect(alice.form.locator("[data-test=submit]")).to_be_focused()
    keys.press("Tab")
    expect(alice.form.get_by_role("button", name="Close", exact=True)).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    gone(alice.form)
    expect(alice.test("command")).to_be_focused()

    bob.sees("without a mouse")
    approve = bob.page.locator("[data-action=approve]")
    bob.test("feed").focus()
    bob.page.keyboard.press("Tab")
    expect(approve).to_be_focused()
    bob.page.keyboard.press("Enter")
    expect(bob.member(STAGING, ALICE_IN_OKTA)).to_be_visible()

    # Escape closes a form, and the focus is where one can go on.
    alice.test("shortcut").focus()
    keys.press("Enter")
    expect(alice.form).to_be_visible()
    keys.press("Escape")
    gone(alice.form)
    expect(alice.test("command")).to_be_focused()


def test_the_form_keeps_what_was_filled_in(stage: Stage) -> None:
    alice = stage.open(ALICE)
    alice.says("/access")
    alice.field("reason").fill("a reason that stays")
    alice.choose("duration", "4 hours")
    # Another target has other durations: the form is drawn anew at once, and says what does not fit.
    alice.choose("target", "Prod")
    expect(alice.form).to_contain_text("4 hours is not offered for Prod")
    expect(alice.field("reason")).to_have_value("a reason that stays")
    alice.form.locator("[data-test=submit]").click()
    wrong = alice.form.locator("[data-error=duration]")
    expect(wrong).to_contain_text("1 hour")
    expect(alice.field("duration")).to_be_focused()
    expect(alice.field("duration")).to_have_attribute("aria-invalid", "true")
    alice.choose("duration", "1 hour")
    alice.submit()
    alice.sees("a reason that stays", "1 hour")


FIELDS = """
slack_workspace_id = "T0SANDBOX"
okta_org_domain    = "sandbox.okta.local"
error_channel      = "#sym-errors"

[[flow]]
name            = "okta"
label           = "Okta Access"
request_channel = "#sym-requests"
approver_group  = "00g1approvers"
durations       = ["30m", "1h", "4h"]
header          = "Ask *before* you are on call: <https://example.com|how>"

[[flow.field]]
name = "ticket"
label = "Ticket"
type = "number"

[[flow.field]]
name = "impact"
label = "Impact"
type = "choice"
choices = ["none", "some", "all of it"]

[[flow.field]]
name = "buddy"
label = "Who watches"
type = "person"

[[flow.field]]
name = "day"
label = "Day"
type = "date"
required = false

[[flow.target]]
label    = "Staging"
group_id = "00g3stagingadmins"
"""


def test_a_flow_of_many_targets_and_questions(stage: Stage) -> None:
    targets = (f'\n[[flow.target]]\nlabel = "Team {n}"\ngroup_id = "00gteam{n}"\n' for n in range(150))
    (stage.data / "flows" / "flows.toml").write_text(FIELDS + "".join(targets))
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.says("/access")
    expect(alice.form.get_by_role("link", name="how")).to_have_attribute("href", "https://example.com")
    # More than a menu holds: the app is asked while Alice types.
    alice.field("target").click()
    expect(alice.form.get_by_role("option")).to_have_count(100)
    alice.choose("target", "Staging", typed="sta")
    alice.field("reason").fill("a look")
    alice.choose("duration", "1 hour")
    alice.field("ticket").fill("42")
    alice.choose("impact", "all of it")
    alice.choose("buddy", "Carol")
    alice.field("day").fill("2026-12-24")
    expect(alice.form.get_by_text("Day (optional)")).to_be_visible()
    alice.submit()
    bob.sees("Staging", "42", "all of it", "2026-12-24")
    bob.press("approve")
    expect(bob.member(STAGING, ALICE_IN_OKTA)).to_be_visible()


def test_a_form_that_came_too_late_is_a_press_away(stage: Stage) -> None:
    alice, bob = stage.open(ALICE), stage.open(BOB)
    alice.flip("Slack is down", on=True)
    alice.says("/access prod 1h fixing INC-42")
    alice.is_told("service_unavailable")
    alice.flip("Slack is down", on=False)
    alice.press("ask", alice.test("ephemeral"))
    expect(alice.field("target")).to_have_value("Prod")
    expect(alice.field("reason")).to_have_value("fixing INC-42")
    alice.submit()
    bob.sees("fixing INC-42")
    gone(bob.test("ephemeral"))
    alice.test("dismiss").click()
    gone(alice.test("ephemeral"))


def test_whoever_may_take_no_part_is_told_so(stage: Stage) -> None:
    somebody = stage.open("U05GUEST", GENERAL)
    told = {
        "U05GUEST": "guests cannot ask",
        "U06BOT": "",
        "U08NOBODY": "no Okta user has the e-mail nobody@example.com",
        "U09TWINS": "2 Okta users have the e-mail twins@example.com",
    }
    for who, why in told.items():
        somebody.become(who)
        somebody.asks("/access staging 30m please")
        # A bot has no messages of its own in which it could be told.
        if why:
            somebody.go(MESSAGES)
            somebody.sees(why)
            somebody.go(GENERAL)
    # Somebody of another workspace learns it while they are in the form.
    somebody.become("U07STRANGER")
    somebody.says("/access staging 30m please")
    somebody.form.locator("[data-test=submit]").click()
    expect(somebody.form.locator("[data-error=target]")).to_contain_text("people of another workspace cannot ask")
    somebody.form.locator("[data-test=close]").click()
    gone(somebody.form)
    gone(somebody.test("request").filter(has_not_text="failed"))


def test_an_administrator_changes_okta_by_hand(stage: Stage) -> None:
    alice = stage.open(ALICE)
    staging = alice.page.locator(f"[data-group='{STAGING}']")
    staging.locator("summary").click()
    staging.locator("[data-test=add-user]").select_option("00u3carol")
    staging.locator("[data-test=add]").click()
    expect(alice.member(STAGING, "00u3carol")).to_be_visible()
    alice.member(STAGING, "00u3carol").get_by_role("button", name="Remove Carol from Staging admins").click()
    gone(alice.member(STAGING, "00u3carol"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(stage: Stage, scheme: str) -> None:
    alice = stage.open(ALICE, viewport=PHONE, color_scheme=scheme)
    bob = stage.open(BOB, HOME, viewport=PHONE, color_scheme=scheme)
    alice.says("/access staging 30m " + "Donaudampfschifffahrtsgesellschaftskapitän" * 5)
    expect(alice.form).to_be_visible()
    fits(alice)
    alice.choose("duration", "4 hours")
    fits(alice)
    alice.submit()
    alice.sees("Okta Access request by @Alice")
    fits(alice)
    for where in (GENERAL, MESSAGES, HOME):
        alice.go(where)
        fits(alice)
    expect(bob.page.locator("[data-action=approve]").first).to_be_visible()
    fits(bob)
    alice.go(REQUESTS)
    alice.page.locator("#window").scroll_into_view_if_needed()
    alice.picture(alice.page.locator("#window"), f"phone-{scheme}")


def fits(person: Person) -> None:
    """Nothing sticks out to the side, of the page or of anything in it that can be scrolled."""
    assert person.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = """() => [...document.querySelectorAll("main *")]
      .filter((node) => getComputedStyle(node).overflowX === "auto" && node.checkVisibility() && node.scrollWidth > node.clientWidth)
      .map((node) => node.id || node.className)"""
    assert person.page.evaluate(wide) == []


def test_light_and_dark_can_be_told_apart_and_read(stage: Stage) -> None:
    alice = stage.open(ALICE)
    alice.asks("/access staging 30m a look at the logs")
    backs = {}
    for scheme in ("light", "dark"):
        alice.page.emulate_media(color_scheme=scheme)
        backs[scheme] = alice.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert faint(alice) == []
    assert backs["light"] != backs["dark"]
    # Whoever wants it otherwise than their system has it says so, and it is remembered.
    alice.test("theme").click()
    alice.test("theme").click()
    alice.page.emulate_media(color_scheme="light")
    alice.page.reload()
    expect(alice.test("theme")).to_have_text("☾ Dark")
    assert alice.page.evaluate("getComputedStyle(document.body).backgroundColor") == backs["dark"]


def faint(person: Person) -> list[str]:
    """Texts whose contrast is below what WCAG AA asks for."""
    return person.page.evaluate(
        """() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map((it) => it / 255);
      };
      const over = ([r, g, b, a], below) => [r, g, b].map((it, n) => it * a + below[n] * (1 - a));
      const back = (node) => {
        if (!node) return [1, 1, 1];
        const own = rgba(getComputedStyle(node).backgroundColor);
        return own[3] === 1 ? own : over(own, back(node.parentElement));
      };
      const light = (colour) => {
        const [r, g, b] = colour.map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const found = [];
      while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        const text = texts.currentNode.textContent.trim();
        if (!text || !node.checkVisibility() || node.closest(".unseen, [aria-hidden=true], .off, .skip")) continue;
        const below = back(node);
        const a = light(over(rgba(getComputedStyle(node).color), below)), b = light(below);
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) found.push(`${text}: ${contrast.toFixed(2)}`);
      }
      return found;
    }"""
    )


def test_everything_has_a_name(stage: Stage) -> None:
    alice = stage.open(ALICE)
    assert nameless(alice) == []
    for details in alice.page.locator("details > summary").all():
        details.click()
    assert nameless(alice) == []
    alice.says("/access")
    form = alice.form
    expect(form).to_have_attribute("aria-modal", "true")
    expect(alice.page.get_by_role("dialog", name="Okta Access")).to_be_visible()
    for label in ("Resource", "Reason", "Duration"):
        expect(form.get_by_label(label, exact=True)).to_be_visible()
    assert nameless(alice) == []
    # What is behind the form cannot be reached while it is open.
    assert alice.page.evaluate("document.querySelector('#room').inert")
    for landmark in ("Slack", "Okta", "Record"):
        expect(alice.page.get_by_role("region", name=landmark, exact=True)).to_be_visible()


def nameless(person: Person) -> list[str]:
    """Controls that a screen reader cannot name."""
    return person.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, summary, a, [role=dialog], [role=log], nav")]
      .filter((node) => node.checkVisibility() && !node.closest("[inert]"))
      .filter((node) => {
        const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
        const labels = [...(node.labels ?? [])].map((it) => it.textContent);
        const own = node.matches("input, select, textarea, nav, [role=dialog], [role=log]") ? "" : node.textContent;
        return ![...by, ...labels, node.getAttribute("aria-label") ?? "", own].join("").trim();
      })
      .map((node) => node.outerHTML.slice(0, 120))"""
    )


def test_the_page_says_when_the_local_run_is_gone(stage: Stage) -> None:
    alice = stage.open(ALICE)
    stage.run.terminate()
    stage.run.wait()
    expect(alice.test("result")).to_contain_text("the local run does not answer")
    # A browser's console tells of every call that found nobody.
    stage.complaints.clear()
