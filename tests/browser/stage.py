"""The local run, and people who look at its page and use it with mouse and keyboard."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "target" / "debug" / "local"
PICTURES = os.environ.get("STINT_PICTURES")

ALICE, BOB = "U01ALICE", "U02BOB"
REQUESTS, ERRORS, GENERAL = "C01REQUESTS", "C02ERRORS", "C03GENERAL"
PROD, STAGING = "00g2prodadmins", "00g3stagingadmins"
MESSAGES, HOME = "dm", "home"


class Stage:
    """A local run, and the pages that are open on it."""

    def __init__(self, browser: Browser, data: Path) -> None:
        self.browser = browser
        self.data = data
        self.complaints: list[str] = []
        self.pages: list[BrowserContext] = []

    def __enter__(self) -> Stage:
        if not PROGRAM.exists():
            pytest.fail(f"there is no {PROGRAM}: build it with `cargo build --package local`", pytrace=False)
        self.log = (self.data.parent / "log").open("w+")
        self.run = subprocess.Popen(
            [PROGRAM, "--port", "0", "--data", self.data],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.run.stdout
        said = self.run.stdout.readline()
        found = re.search(r"http://\S+", said)
        if not found:
            self.log.seek(0)
            pytest.fail(f"the local run did not start: {said}{self.log.read()}", pytrace=False)
        self.url = found[0].rstrip("/")
        return self

    def __exit__(self, *_: object) -> None:
        for page in self.pages:
            page.close()
        self.run.terminate()
        self.run.wait()
        self.log.close()

    def open(self, who: str, where: str = REQUESTS, **how: Any) -> Person:
        """The page, as `who` who looks at `where`; `how` is what a browser can be told."""
        usual = {
            "viewport": {"width": 1440, "height": 900},
            "device_scale_factor": 2,
            "timezone_id": "Europe/Berlin",
            "locale": "en-GB",
            "reduced_motion": "reduce",
        }
        context = self.browser.new_context(**(usual | how))
        self.pages.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{who}: {error}"))
        page.on("console", lambda it: it.type in ("error", "warning") and self.complaints.append(f"{who}: {it.text}"))
        # Whatever else it asks for would be asked of somebody else's machine.
        page.on("request", lambda it: it.url.startswith((self.url, "data:")) or self.complaints.append(it.url))
        page.goto(f"{self.url}/#{who}/{where}")
        expect(page.locator("[data-group]").first).to_be_visible()
        return Person(page, who)

    def check(self) -> None:
        """Nothing went wrong on any page that only its console tells."""
        assert not self.complaints


class Person:
    """Somebody before the page. Whatever they look for is waited for."""

    def __init__(self, page: Page, who: str) -> None:
        self.page = page
        self.who = who

    # Where they are

    def go(self, where: str) -> None:
        """Looks at a channel, at the app's messages or at its Home tab."""
        if where in (MESSAGES, HOME):
            self.page.click(f"[data-test=place][data-place={MESSAGES}]")
            self.page.click(f"[data-test=tab][data-tab={where}]")
        else:
            self.page.click(f"[data-test=place][data-place={where}]")

    def become(self, who: str) -> None:
        """Acts as somebody else from now on."""
        self.page.locator(f"[data-person={who}]").first.click()
        self.who = who
        expect(self.test("whoami")).to_contain_text(who)

    def test(self, name: str) -> Locator:
        """What the page calls `name`."""
        return self.page.locator(f"[data-test={name}]")

    # What they see

    def messages(self) -> Locator:
        """The messages where they are."""
        return self.test("message")

    def card(self, text: str = "") -> Locator:
        """The latest message with `text`."""
        return self.messages().filter(has_text=text).last

    def sees(self, *texts: str, card: str = "") -> Locator:
        """Sees a message in which all of `texts` are."""
        found = self.card(card or texts[0])
        for text in texts:
            expect(found).to_contain_text(text)
        return found

    def is_told(self, text: str) -> None:
        """Is told `text` where nobody else sees it."""
        expect(self.test("ephemeral").last).to_contain_text(text)

    def member(self, group: str, user: str) -> Locator:
        """Somebody in a group of Okta."""
        return self.page.locator(f"[data-group='{group}'] [data-user='{user}']")

    # What they do

    def says(self, command: str) -> None:
        """Types a command where they are."""
        self.test("command").fill(command)
        self.test("send").click()

    def press(self, action: str, where: Locator | None = None) -> None:
        """Presses a button of the app in `where`, or the latest one."""
        button = (where or self.test("feed")).locator(f"[data-action={action}]").last
        button.click()

    @property
    def form(self) -> Locator:
        """The form that is open."""
        return self.page.locator("[data-test=form]:visible")

    def field(self, block: str) -> Locator:
        """A field of the form."""
        return self.form.locator(f"[data-block={block}]")

    def choose(self, block: str, label: str, typed: str = "") -> None:
        """Chooses from a menu of the form, after typing something into it."""
        self.field(block).click()
        if typed:
            self.field(block).fill(typed)
        option = self.form.get_by_role("option").filter(has_text=label).first
        option.click()
        expect(self.field(block)).to_have_value(label)

    def submit(self) -> None:
        """Sends the form and sees it close."""
        form = self.form.get_attribute("data-view")
        self.form.locator("[data-test=submit]").click()
        expect(self.page.locator(f"[data-view='{form}']")).to_have_count(0)

    def asks(self, command: str) -> None:
        """Asks with a command and the form that it fills in."""
        self.says(command)
        expect(self.form).to_be_visible()
        self.submit()

    def freeze(self) -> None:
        """Stops the clock."""
        self.test("freeze").click()
        expect(self.test("freeze")).to_have_attribute("aria-pressed", "true")

    def wait(self, seconds: int) -> None:
        """Moves the clock."""
        self.test("clock-seconds").fill(str(seconds))
        self.test("clock-custom").click()
        # Every schedule and sweep in between takes its real time.
        expect(self.test("clock-custom")).not_to_have_attribute("aria-busy", "true", timeout=180_000)

    def flip(self, fault: str, on: bool) -> None:
        """Breaks something, or mends it."""
        switch = self.page.get_by_role("switch", name=fault, exact=True)
        switch.click()
        expect(switch).to_have_attribute("aria-checked", str(on).lower())

    # What they show to others

    def picture(self, what: Locator | None, name: str) -> None:
        """Writes a picture of `what`, or of what is on the screen, where pictures are asked for."""
        if not PICTURES:
            return
        path = Path(PICTURES) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        expect(self.page.locator(".lit")).to_have_count(0)
        dismiss = self.test("result").get_by_role("button", name="Dismiss")
        if dismiss.is_visible():
            dismiss.click()
        if what:
            self.page.evaluate("document.activeElement?.blur()")
            what.scroll_into_view_if_needed()
            what.screenshot(path=path)
        else:
            self.page.screenshot(path=path)
        assert path.stat().st_size < 200_000, f"{path} is too large for a page that people read"
