"""Opens a report in a headless Chromium: browser.py REPORT [SCREENSHOTS].

It fails where the console has an error, the policy is violated, the search or a copy button does nothing, or a link leads
nowhere. With a folder it leaves screenshots there, light, dark and printed.
"""

import base64
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """A tab, driven by the protocol of the developer tools."""

    def __init__(self, url: str) -> None:
        # The server knows no origin.
        self.socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
        self.sent = 0
        self.events: list[dict] = []

    def call(self, method: str, **parameters: object) -> dict:
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.sent:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self.events.append(message)

    def wait(self, event: str) -> None:
        while not any(it.get("method") == event for it in self.events):
            self.events.append(json.loads(self.socket.recv()))

    def open(self, page: pathlib.Path) -> None:
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.wait("Page.loadEventFired")

    def value(self, script: str) -> object:
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def complaints(self) -> list[dict]:
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Audits.issueAdded")
        return [it for it in self.events if it.get("method") in kinds]


class Links(html.parser.HTMLParser):
    """The ids of the page, and the ids that its links name."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.named: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        if tag == "a":
            assert named["href"].startswith("#"), f"a link leaves the page: {named}"
            self.named.add(named["href"][1:])


def main(report: str, screenshots: str | None = None) -> None:
    page = pathlib.Path(report).resolve()
    links = Links()
    links.feed(page.read_text("utf-8"))
    assert len(links.ids) == len(set(links.ids)), "an id is given twice"
    assert links.named <= set(links.ids), f"links lead nowhere: {links.named - set(links.ids)}"
    assert CHROMIUM, "no Chromium was found; install one, such as Debian's package `chromium`, or run `make chromium`"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        chromium = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             f"--user-data-dir={profile}", "--window-size=1280,900", "about:blank"],
            stderr=subprocess.PIPE, text=True)
        try:
            listening = (re.search(r"listening on (ws://\S+)", line) for line in chromium.stderr)
            url = next(found[1] for found in listening if found)
            target = Tab(url).call("Target.createTarget", url="about:blank")["targetId"]
            tab = Tab(re.sub(r"/devtools/.*", f"/devtools/page/{target}", url))
            check(tab, page)
            if screenshots:
                shoot(tab, page, pathlib.Path(screenshots))
        finally:
            chromium.terminate()
            chromium.wait()


def check(tab: Tab, page: pathlib.Path) -> None:
    for domain in ("Page", "Runtime", "Log", "Audits"):
        tab.call(f"{domain}.enable")
    tab.open(page)
    n_chains = tab.value("document.querySelectorAll('.chain').length")
    assert n_chains > 5, n_chains
    visible = "[...document.querySelectorAll('.chain')].filter(it => it.offsetHeight > 0).length"
    instance = tab.value("document.querySelector('.chain h3 .id').dataset.v")
    sought = "(text) => { const find = document.getElementById('find'); find.value = text; find.dispatchEvent(new Event('input')); }"
    tab.value(f"({sought})({json.dumps(instance)})")
    n_found = tab.value(visible)
    assert 0 < n_found < n_chains, (instance, n_found, n_chains)
    assert "of" in tab.value("document.getElementById('found').textContent")
    tab.value(f"({sought})('no such thing')")
    assert tab.value(visible) == 0
    tab.value(f"({sought})('')")
    assert tab.value(visible) == n_chains
    ids, buttons = tab.value("[document.querySelectorAll('.id[data-v]').length, document.querySelectorAll('button.copy').length]")
    assert ids == buttons > 50, (ids, buttons)
    copied = tab.value(
        "new Promise(done => { const it = document.querySelector('button.copy');"
        " new MutationObserver(() => done(it.textContent)).observe(it, {childList: true}); it.click(); })")
    assert copied == "copied", copied
    assert tab.value("document.body.scrollWidth <= document.documentElement.clientWidth"), "the page scrolls sideways"
    assert tab.value("document.querySelectorAll('b, img, iframe, object, embed').length") == 0, "a text became markup"
    assert not tab.complaints(), tab.complaints()
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(page)
    without = tab.call("Runtime.evaluate", expression="[document.querySelectorAll('button.copy').length,"
                       " document.querySelectorAll('.chain').length, getComputedStyle(document.querySelector('.script')).display]",
                       returnByValue=True)["result"]["value"]
    assert without == [0, n_chains, "none"], without
    assert not tab.complaints(), tab.complaints()
    tab.call("Emulation.setScriptExecutionDisabled", value=False)
    print(f"{n_chains} chains, {ids} ids to copy, no complaint")


def shoot(tab: Tab, page: pathlib.Path, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        tab.call("Emulation.setEmulatedMedia", media="screen", features=[{"name": "prefers-color-scheme", "value": scheme}])
        tab.open(page)
        for name, script in (("top", "scrollTo(0, 0)"), ("read", "document.getElementById('read').scrollIntoView()"),
                             ("linked", "document.getElementById('linked').scrollIntoView()"),
                             ("keys", "document.getElementById('keys').scrollIntoView()"),
                             ("chains", "document.getElementById('chains').scrollIntoView()")):
            tab.value(script)
            shot = tab.call("Page.captureScreenshot", format="png")["data"]
            (folder / f"{scheme}-{name}.png").write_bytes(base64.b64decode(shot))
    tab.call("Emulation.setEmulatedMedia", media="")
    printed = tab.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"]
    (folder / "print.pdf").write_bytes(base64.b64decode(printed))


if __name__ == "__main__":
    main(*sys.argv[1:])
