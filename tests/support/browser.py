"""A real browser for tests: Chromium, driven through playwright-core by one Node process."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support import tools

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# One request a line: open `url` in the page for `options`, run `script` as the body of an async
# function of (page, Body), and answer with the result. All visits with the same options share a
# page, because a new one takes half a second; a failed visit closes it.
DRIVER = """
const { chromium } = require(process.argv[2]);
const lines = require("readline").createInterface({ input: process.stdin });
const Body = Object.getPrototypeOf(async function () {}).constructor;
const answer = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
const VIEWPORT = { width: 1280, height: 720 };
const pages = new Map();
async function pageFor(browser, options) {
  const key = JSON.stringify(options);
  if (!pages.has(key)) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(20000);
    pages.set(key, await context.newPage());
  }
  const page = pages.get(key);
  page.removeAllListeners();
  await page.goto("about:blank");
  await page.setViewportSize(VIEWPORT);
  await page.emulateMedia({ media: null, colorScheme: options.colorScheme || null });
  return page;
}
async function visit(browser, { url, script, options }) {
  const errors = [], requests = [], dialogs = [];
  const page = await pageFor(browser, options);
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  page.on("pageerror", (error) => errors.push(String(error)));
  const own = url.split("#")[0];
  page.on("request", (request) => { if (request.url() !== own) requests.push(request.url()); });
  page.on("dialog", (dialog) => { dialogs.push(dialog.message()); dialog.dismiss(); });
  try {
    await page.goto(url, { timeout: 60000 });
    const value = await new Body("page", "Body", script)(page, Body);
    return { value: value === undefined ? null : value, errors, requests, dialogs };
  } catch (error) {
    pages.delete(JSON.stringify(options));
    await page.context().close();
    return { failed: String(error), errors, requests, dialogs };
  }
}
(async () => {
  const [executablePath, ...args] = process.argv.slice(3);
  const browser = await chromium.launch({ executablePath, args });
  answer({ started: true });
  for await (const line of lines) answer(await visit(browser, JSON.parse(line)));
  await browser.close();
})();
"""


@dataclass(frozen=True)
class Visit:
    """The result of one visit: the script's value, and everything forbidden that the page did."""

    value: Any
    errors: list[str]
    requests: list[str]
    dialogs: list[str]


class Browser:
    """Chromium, ready to open pages."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def visit(self, url: str, script: str, **options: Any) -> Visit:
        """Open `url`, run `script` (with `page`, may `await` and `return`).

        `options` are those of a Playwright context: viewport, colorScheme, javaScriptEnabled.
        AssertionError if the script fails. Requests for anything but `url` are listed.
        """
        self._stdin.write(json.dumps({"url": url, "script": script, "options": options}) + "\n")
        self._stdin.flush()
        line = self._stdout.readline()
        assert line, "the browser's driver ended"
        answer: Mapping[str, Any] = json.loads(line)
        assert "failed" not in answer, f"{answer['failed']}; console: {answer['errors']}"
        return Visit(answer["value"], answer["errors"], answer["requests"], answer["dialogs"])


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """A browser for as long as the context lasts. `folder` takes the driver's script."""
    playwright = tools.node_modules("playwright-core")
    driver = folder / "driver.cjs"
    driver.write_text(DRIVER, encoding="utf-8")
    with subprocess.Popen(
        [tools.node(), driver, playwright, tools.chromium(), *FLAGS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline(), "Chromium did not start"
        try:
            yield Browser(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
