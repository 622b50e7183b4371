"""Takes docs/images/playground.png in the playground of a running `python3 dev demo`, with the machine's Chromium.

. <state>/connection.env
python3 dev run docs/images/take_playground.py [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

PICTURE = Path(__file__).with_name("playground.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    options = parser.parse_args()
    address = os.environ["AUDIENCE_URL"].removesuffix("graphql") + "graphiql"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 860})
        page.goto(address)
        page.get_by_label("API token").fill(os.environ["AUDIENCE_TOKEN"])
        page.get_by_role("button", name="Open").click()
        run(page, "CreateSegment", '"')
        run(page, "Members", '"state": "READY"')
        run(page, "Explanation", '"isMember": true')
        page.wait_for_timeout(500)  # the last animation
        page.screenshot(path=PICTURE)
        browser.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


def run(page: Page, tab: str, answer: str) -> None:
    """Run an example until its answer contains the expected text, because a new segment is filled in the background."""
    text = page.locator(".graphiql-query-editor .view-lines")
    expect(text).to_contain_text("#")
    page.get_by_role("button", name=tab, exact=True).click()
    expect(text).to_contain_text(f" {tab} ")
    for _ in range(20):
        page.locator(".graphiql-execute-button").click()
        page.wait_for_timeout(1000)
        if answer in page.locator(".result-window").inner_text().replace("\u00a0", " "):
            return
    raise SystemExit(f"{tab} does not answer {answer}")


if __name__ == "__main__":
    main()
