"""Measures how soon the web page shows something on a slow phone: python tools/first_paint.py (needs Chromium).

It starts a service with the example model in a temporary folder, sends the Titanic, and opens each page in Chromium
with a slower processor and a slow network. It prints the table of docs/page.md: the median of the first contentful
paint (https://www.w3.org/TR/paint-timing/).
"""

import sys
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Browser, BrowserContext, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tools.example_service import CHROMIUM, TITANIC, example_service

RUNS = 7

SLOWER = 4
"""How many times slower the processor is."""

SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
"""Latency of each request in milliseconds, and bytes a second: what Lighthouse calls slow 4G."""

_PAINT = """new Promise((resolve) => new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (entry.name === "first-contentful-paint") resolve(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


def main() -> None:
    """Prints the table."""
    with example_service() as url:
        measure(url)


def measure(url: str) -> None:
    """Measures the pages of the service at `url`, and prints a row for each."""
    with httpx.Client(base_url=url, timeout=90) as http:
        headers = {"Content-Type": "text/csv", "Prefer": "wait=60"}
        job = http.post("/predict", content=TITANIC.read_bytes(), headers=headers).json()["id"]
    pages = {
        "Predict (`/`)": "/",
        "A job": f"/ui/jobs/{job}",
        "Jobs": "/ui/jobs",
        "Queue": "/ui/queue",
        "Models": "/ui/models",
        "Documentation (`/docs/api`)": "/docs/api",
    }
    print("| page | first visit | later visits |\n| --- | --- | --- |")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path in pages.items():
            visits = [_visits(browser, url + path) for _ in range(RUNS)]
            first, later = (median(column) for column in zip(*visits, strict=True))
            print(f"| {name} | {first / 1000:.2f} s | {later / 1000:.2f} s |", flush=True)
        browser.close()


def _visits(browser: Browser, url: str) -> tuple[float, float]:
    """Returns the first paint of a first visit and of the next one, in milliseconds."""
    context = browser.new_context()
    first, later = _paint(context, url), _paint(context, url)
    context.close()
    return first, later


def _paint(context: BrowserContext, url: str) -> float:
    """Returns the first paint of a visit in milliseconds."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(url, wait_until="load")
    paint = float(page.evaluate(_PAINT))
    page.close()
    return paint


if __name__ == "__main__":
    main()
