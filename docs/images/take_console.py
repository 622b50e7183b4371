"""Takes docs/images/console.png, console-builder.png and console-automations.png in the console of a running `python3 dev demo`, with the machine's Chromium.

. <state>/connection.env
python3 dev run docs/images/take_console.py [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

HERE = Path(__file__).parent
PURCHASES_MILLISECONDS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    options = parser.parse_args()
    address = os.environ["AUDIENCE_URL"].removesuffix("graphql")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        segment(opened(browser, address, "light"))
        builder(opened(browser, address, "dark"))
        automation(opened(browser, address, "light"))
        browser.close()


def opened(browser: Browser, address: str, scheme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(
        viewport={"width": 1280, "height": 800}, color_scheme=scheme, reduced_motion="reduce", locale="en-GB"
    )
    page.goto(address)
    page.get_by_label("API token").fill(os.environ["AUDIENCE_TOKEN"])
    page.get_by_role("button", name="Open").click()
    return page


def segment(page: Page) -> None:
    """The size of one segment, and why people entered and left it, after some purchases."""
    page.wait_for_timeout(PURCHASES_MILLISECONDS)
    page.get_by_role("navigation").get_by_role("link", name=re.compile("^Bought in")).click()
    expect(page.get_by_role("main")).to_contain_text("The main reason for leaving")
    expect(page.get_by_role("main")).to_contain_text("Dotted:")
    page.set_viewport_size({"width": 1280, "height": 1060})
    take(page, "console.png")


def builder(page: Page) -> None:
    """People who ordered twice recently, and are from the first cohort or spent a lot."""
    page.wait_for_timeout(PURCHASES_MILLISECONDS)
    page.get_by_role("link", name="New segment").click()
    kind = page.get_by_label("Kind of condition")
    kind.select_option("event")
    page.get_by_label("did name").fill("order_placed")
    page.get_by_role("button", name="+ times").click()
    page.get_by_label("did times at least").fill("2")
    page.get_by_role("button", name="+ within").click()
    page.get_by_role("button", name="+ Bracket").click()
    kind.nth(1).select_option("field")
    page.get_by_label("custom field: which").select_option("cohort")
    page.get_by_label("cohort is").fill("1997-01")
    page.get_by_role("group", name="Bracket at level 2").get_by_role("button", name="+ Condition").click()
    kind.nth(2).select_option("segment")
    page.get_by_label("Big spenders").check()
    page.get_by_label("Name", exact=True).fill("Back again")
    page.set_viewport_size({"width": 1440, "height": 1120})
    expect(page.get_by_role("region", name="Preview")).to_contain_text("How many match each part")
    expect(page.get_by_role("region", name="Preview")).to_contain_text("At present, this matches")
    expect(page.get_by_role("region", name="Preview")).to_contain_text("Big spenders")
    take(page, "console-builder.png")


def automation(page: Page) -> None:
    """The runs of an automation that thanks active buyers, as purchases start them. It is created unless it is there."""
    page.get_by_role("link", name="Automations").click()
    expect(page.get_by_role("link", name="Win back")).to_be_visible()
    thanks = page.get_by_role("link", name="Thank buyers")
    if thanks.count() > 0:
        thanks.click()
    else:
        page.get_by_role("link", name="New automation").click()
        page.get_by_label("Segment or group").select_option("Active buyers")
        page.get_by_label("Then").select_option("track an event")
        page.get_by_label("Event").fill("thanked")
        page.get_by_label("Name", exact=True).fill("Thank buyers")
        page.get_by_role("button", name="Save automation").click()
    page.wait_for_timeout(PURCHASES_MILLISECONDS)
    expect(page.get_by_role("table", name="Runs").locator("tbody tr").first).to_be_visible()
    take(page, "console-automations.png")


def take(page: Page, name: str) -> None:
    picture = HERE / name
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=picture)
    print(f"{picture}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
