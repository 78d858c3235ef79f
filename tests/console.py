"""Drives the console in Chromium. Called by console.sh: console.py URL STORE AXE SCREENSHOTS, or console.py --pictures URL FOLDER."""

import base64
import http.server
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

HOSTILE = "<script>alert(1)</script>\"'&"
# Viewports: a desk, a desk at 200 % zoom, and a small phone.
WIDTHS = {"wide": (1280, 900), "zoomed": (640, 450), "phone": (360, 740)}
PAGES = {
    "live": "/console/live",
    "search": "/console/members",
    "nothing": "/console/members?q=nobody",
    "account": "/console/member?account=A-1001",
    "player": "/console/member?player=player123",
    "customer": "/console/member?customer=customer-1",
    "record": "/console/record?activity=activity-1",
    "catalog": "/console/catalog",
    "history": "/console/catalog/history",
    "version": "/console/catalog/version?version=1",
    "draft": "/console/catalog/draft",
    "backtest": "/console/catalog/backtest",
    "report": "/console/catalog/backtest/report",
    "try": "/console/try?sample=send-activity.happy",
    "adjust": "/console/adjust?correlation=session-1",
    "void": "/console/void?correlation=session-1&activity=activity-2",
    "not-found": "/console/member?account=nobody",
}


class Api:
    """Sends requests of the three APIs, so that there is something to see."""

    def __init__(self, url):
        self.url = url
        basic = base64.b64encode(b"demo-client:demo-secret").decode()
        form = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        token = self.send("/oauth2/token", b"grant_type=client_credentials", form)["access_token"]
        self.bearer = {"Authorization": f"Bearer {token}"}
        credentials = {"clientId": "demo-client", "secret": "demo-secret"}
        customer = {"x-source-customer-id": "customer-1"}
        session = self.send("/v2/session/startSession", credentials, customer)["sessionToken"]
        self.customer = {**customer, "Authorization": f"Bearer {session}"}

    def send(self, path, body, headers, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer, found = response.read(), response.status
        except urllib.error.HTTPError as error:
            answer, found = error.read(), error.code
        assert found == status, f"{path}: {found} {answer}"
        return json.loads(answer or b"null")

    def read(self, path):
        request = urllib.request.Request(self.url + path, headers=self.bearer)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def track(self, player, events, status=200):
        body = {"playerUniqueId": player, "events": events}
        return self.send("/integrations/event", body, {"APIKey": "demo-api-key"}, status)

    def act(self, activity, action, **more):
        body = {"action": action, "channel": "APP", "when": "2024-10-01T07:00:00Z", **more}
        return self.send(f"/client/users/session-1/activities/{activity}", body, self.bearer)

    def client_event(self, event="ActivateOffer"):
        event = {
            "clientEventId": str(uuid.uuid4()), "clientEventType": "AdInteraction", "clientEvent": event,
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
            "clientEventMetadata": {"serveToken": "CiQ3MGU5", "section": "Dashboard", "channel": "OLB"},
        }
        return self.send("/v2/events/clientEvent", {"clientEvents": [event]}, self.customer)


def seed(api):
    """Some of everything: earned, at a limit, refused, corrected, hostile."""
    api.send("/client/users/A-1001/sessions", {"correlationId": "session-1", "channel": "APP"}, api.bearer)
    for number, action in enumerate(["SURVEY_RESPONSE", "APP_DOWNLOAD", "SURVEY_RESPONSE", "SURVEY_RESPONSE", "APP_CHECKIN"]):
        api.act(f"activity-{number + 1}", action)
    api.send("/client/users/session-1/void", {"originalTransactionId": "activity-3", "externalReferenceId": "r-1"}, api.bearer)
    adjustment = {"channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 50,
                  "externalReferenceId": "ticket-1", "note": "Late delivery"}
    api.send("/client/users/session-1/adhoc-reward", adjustment, api.bearer)
    for amount in ["120", "80", "240"]:
        api.track("player123", {"place_order": {"total_amount": amount, "category": ["electronics"]}, "review": {}})
    api.track(HOSTILE, {HOSTILE: {HOSTILE: HOSTILE}})
    for _ in range(3):
        api.client_event()
    api.send("/integrations/event", {"playerUniqueId": ""}, {"APIKey": "demo-api-key"}, 400)
    api.send("/integrations/event", {"playerUniqueId": "a"}, {"APIKey": "wrong"}, 401)
    api.send("/client/users/session-1/activities/activity-1", {"action": "SURVEY_RESPONSE", "channel": "APP",
             "when": "2024-10-01T07:00:00Z"}, api.bearer, 400)


# The size of the README's pictures, and the time in which requests are sent for them.
PICTURE = (1280, 800)
TRAFFIC_SECONDS = 150


def traffic(api, enough):
    """Requests of all three APIs whose rate goes up and down, for pictures of live figures."""
    chance = random.Random(7)
    actions = ["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN", "APP_CHECKIN", "APP_CHECKIN"]
    began = time.monotonic()
    number = 0
    while not enough.is_set():
        passed = time.monotonic() - began
        number += 1
        what = chance.random()
        if what < 0.35 + 0.2 * math.sin(passed / 25):
            api.client_event(chance.choice(["ActivateOffer", "ParkOffer", "UrlLinkClicked"]))
        elif what < 0.7:
            body = {"action": chance.choice(actions), "channel": "APP", "when": "2024-10-01T07:00:00Z"}
            correlation = f"visit-{chance.randrange(40)}"
            api.send(f"/client/users/{correlation}/activities/act-{number}", body, api.bearer)
        elif what < 0.95:
            amount = str(chance.randrange(20, 180))
            event = {"place_order": {"total_amount": amount, "category": [chance.choice(["electronics", "books"])]}}
            api.track(f"player-{chance.randrange(60)}", event if what < 0.9 else {"review": {}})
        elif what < 0.98:
            api.send("/integrations/event", {"playerUniqueId": ""}, {"APIKey": "demo-api-key"}, 400)
        else:
            body = {"action": "SURVEY_RESPONSE", "channel": "APP", "when": "2024-10-01T07:00:00Z"}
            api.send("/client/users/session-1/activities/activity-1", body, api.bearer, 400)
        time.sleep(0.06 + 0.05 * math.sin(passed / 9) + 0.05 * chance.random())


def pictures(url, folder):
    """The README's pictures: live figures, a member with the reasons, and a backtest."""
    folder.mkdir(parents=True, exist_ok=True)
    api = Api(url)
    seed(api)
    browser = Browser(url, "", folder)
    try:
        browser.look()
        wide, high = PICTURE
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": False})
        enough = threading.Event()
        sending = threading.Thread(target=traffic, args=(api, enough), daemon=True)
        sending.start()
        time.sleep(TRAFFIC_SECONDS)
        browser.open("/console/live")
        browser.settle("/console/live")
        # The legends get their figures after the charts.
        browser.wait.until(lambda _: any(char.isdigit() for char in browser.text("#chart-apis .u-legend")))
        browser.picture("live", high)
        browser.check(sending.is_alive(), "requests are sent while the picture is taken")
        enough.set()
        sending.join(30)

        browser.open("/console/member?account=A-1001")
        browser.find("#records")
        browser.driver.execute_script("""
            for (const entry of document.querySelectorAll('.entry')) {
              if (entry.textContent.includes('SURVEY_RESPONSE')) { entry.querySelector('details').open = true; break; }
            }""")
        # As much as shows a whole explanation.
        browser.picture("member", high + 440)

        browser.open("/console/catalog/draft")
        browser.settle("/console/catalog/draft")
        draft = browser.find("#draft").get_attribute("value").replace("reward: {flat: 10}", "reward: {flat: 12}", 1)
        browser.driver.execute_script("arguments[0].value = arguments[1]", browser.find("#draft"), draft)
        browser.find("#backtest-button").click()
        browser.expect("Complete")
        browser.picture("backtest", high)
        browser.has_no_errors("pictures")
    finally:
        browser.driver.quit()


class Browser:
    def __init__(self, url, axe, screenshots):
        options = webdriver.ChromeOptions()
        for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-GB",
                         "--force-device-scale-factor=1", "--hide-scrollbars"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.binary_location = shutil.which("chromium")
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_page_load_timeout(30)
        # A page that is about to be left has elements that are gone a moment later.
        self.wait = WebDriverWait(self.driver, 15, ignored_exceptions=[NoSuchElementException, StaleElementReferenceException])
        self.url, self.axe, self.screenshots = url, axe, screenshots
        self.checks = 0

    def look(self, scheme="light", width="wide"):
        """Sets the colour scheme and the size of the window."""
        wide, high = WIDTHS[width]
        feature = {"name": "prefers-color-scheme", "value": scheme}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature, still]})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": False})

    def open(self, path):
        self.driver.get(self.url + path)

    def text(self, selector="main"):
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def expect(self, text, selector="main"):
        try:
            self.wait.until(lambda _: text in self.text(selector))
        except TimeoutException:
            raise AssertionError(f"{text!r} does not appear in {selector}: {self.text(selector)}") from None
        self.checks += 1

    def check(self, condition, message):
        assert condition, message
        self.checks += 1

    def settle(self, path):
        """Waits until scripts have drawn what they load."""
        if path.startswith("/console/live"):
            self.wait.until(lambda _: self.driver.find_elements(By.CSS_SELECTOR, "#chart-points canvas"))
        if path.startswith("/console/catalog/draft"):
            self.expect("Valid.", "#check")
        if path.endswith("/report"):
            self.wait.until(lambda _: self.driver.find_elements(By.CSS_SELECTOR, "#weeks canvas"))

    def obeys_axe(self, what):
        """No finding of axe, of any level."""
        if not self.driver.execute_script("return typeof axe === 'object'"):
            self.driver.execute_script(self.axe)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1]; axe.run({resultTypes: ['violations']}).then(done, (e) => done({error: String(e)}))")
        assert "error" not in found, found
        findings = [f"{v['id']} ({v['impact']}): {v['help']}\n" + "\n".join("    " + n["html"][:200] + " " + n.get("failureSummary", "")[:300]
                    for n in v["nodes"][:4]) for v in found["violations"]]
        self.check(not findings, f"{what}: " + "\n".join(findings))

    def fits(self, what):
        """Nothing is wider than the window: only tables and code scroll, in their own boxes."""
        wide = self.driver.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
        self.check(wide[0] <= wide[1], f"{what}: {wide[0]} px in a window of {wide[1]} px")

    def has_no_errors(self, what):
        """No error of a script, and nothing that the policy refused. The status of a page is none."""
        errors = [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]
        errors = [error for error in errors if "the server responded with a status of 4" not in error]
        self.check(not errors, f"{what}: {errors}")

    def picture(self, name, high=4000):
        """Takes a picture of the page, or of so much of it."""
        metrics = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": self.driver.execute_script("return innerWidth"),
                "height": min(metrics["height"], high), "scale": 1}
        data = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})["data"]
        (self.screenshots / f"{name}.png").write_bytes(base64.b64decode(data))

    def keys(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, described, limit=60):
        """Presses Tab until an element with this text or name has the focus."""
        for _ in range(limit):
            self.keys(Keys.TAB)
            element = self.focused()
            # A text area's text is what was typed into it.
            text = "" if element.tag_name == "textarea" else element.text
            names = [element.get_attribute("name"), element.get_attribute("id")]
            if described in names or described in text:
                outline = element.value_of_css_property("outline-style")
                self.check(outline != "none", f"the focus on {described!r} cannot be seen")
                return element
        raise AssertionError(f"{described!r} cannot be reached by keyboard")


def every_page(browser):
    problems = []
    for scheme in ["light", "dark"]:
        for width in WIDTHS:
            browser.look(scheme, width)
            for name, path in PAGES.items():
                what = f"{name}, {scheme}, {width}"
                browser.open(path)
                browser.settle(path)
                if name in ("account", "player"):
                    browser.driver.execute_script("document.querySelector('details').open = true")
                for check in [browser.obeys_axe, browser.fits, browser.has_no_errors]:
                    try:
                        check(what)
                    except AssertionError as error:
                        problems.append(str(error))
                browser.picture(f"{name}-{scheme}-{width}")
    browser.look()
    assert not problems, "\n".join(problems)


def keyboard(browser):
    """Finds a member and reads why an activity earned what it earned, without a mouse."""
    browser.open("/console/catalog")
    browser.keys(Keys.TAB)
    browser.check(browser.focused().text == "Skip to the content", "the first stop is the link to the content")
    browser.keys(Keys.ENTER)
    browser.check(browser.focused().get_attribute("id") == "main", "the link leads to the content")
    browser.open("/console/catalog")
    browser.tab_to("Members")
    browser.keys(Keys.ENTER)
    browser.expect("Any id")
    browser.check(browser.focused().get_attribute("id") == "q", "the search has the focus")
    browser.keys("A-1001", Keys.ENTER)
    browser.expect("Balances")
    summary = browser.tab_to("Why: ")
    browser.keys(Keys.ENTER)
    details = summary.find_element(By.XPATH, "..")
    browser.check(details.get_attribute("open") is not None, "Enter opens the explanation")
    browser.open("/console/catalog/draft")
    browser.settle("/console/catalog/draft")
    browser.tab_to("check-button")
    browser.keys(Keys.SPACE)
    browser.expect("Valid.", "#check")
    browser.has_no_errors("keyboard")


def faulty_catalog(browser):
    browser.open("/console/catalog/draft")
    browser.settle("/console/catalog/draft")
    draft = browser.find("#draft")
    text = draft.get_attribute("value")
    browser.check("# The demo catalog" in text, "the demo has its comments")
    browser.driver.execute_script("arguments[0].setSelectionRange(0, 0)", draft)
    draft.send_keys(Keys.CONTROL, Keys.HOME)
    draft.send_keys("rewards: on\nunknown: 1\n")
    browser.expect("problem", "#check")
    browser.obeys_axe("a faulty draft")
    browser.picture("draft-faulty")
    browser.find("#check [data-line]").click()
    line = browser.driver.execute_script("return arguments[0].value.slice(0, arguments[0].selectionStart).split('\\n').length", draft)
    browser.check(line >= 1, "the button goes to the line")
    browser.open("/console/catalog/draft")
    browser.settle("/console/catalog/draft")
    draft = browser.find("#draft")
    changed = draft.get_attribute("value").replace("reward: {flat: 10}", "reward: {flat: 12}", 1)
    browser.driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))", draft, changed)
    browser.expect("reward.flat: 10", "#check")
    browser.find("#name").send_keys("SURVEY_RESPONSE")
    browser.find("#channel").send_keys("APP")
    browser.find("[data-part=dry-run]").click()
    browser.expect("20 points", "#dry-run")
    browser.find("#what").send_keys("a stored record")
    browser.find("#record").send_keys("activity-1")
    browser.find("[data-part=dry-run]").click()
    browser.expect("the record earned", "#dry-run")
    browser.obeys_axe("a dry run")
    browser.picture("draft-dry-run")
    browser.has_no_errors("draft")


def backtest(browser):
    """Starts a backtest of a changed draft, looks at its end and its report, by keyboard alone."""
    browser.open("/console/catalog/draft")
    browser.settle("/console/catalog/draft")
    changed = browser.find("#draft").get_attribute("value").replace("reward: {flat: 10}", "reward: {flat: 12}", 1)
    browser.driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
        browser.find("#draft"), changed)
    browser.expect("reward.flat: 10", "#check")
    browser.tab_to("until")
    browser.keys("yesterday")
    browser.tab_to("backtest-button")
    browser.keys(Keys.ENTER)
    browser.expect("must be an RFC 3339 timestamp", "[role=alert]")
    browser.obeys_axe("a refused backtest")
    browser.check("reward: {flat: 12}" in browser.find("#draft").get_attribute("value"), "the draft is kept")
    browser.find("#until").clear()
    browser.tab_to("backtest-button")
    browser.keys(Keys.ENTER)
    browser.expect("Complete")
    browser.expect("Offers and campaigns")
    browser.obeys_axe("a backtest")
    browser.tab_to("Open the report")
    browser.keys(Keys.ENTER)
    browser.settle("/report")
    browser.check(browser.driver.execute_script("return self.origin") == "null", "the report has no origin of its own")
    browser.expect("With the draft")
    browser.open("/console/catalog/draft?from=backtest")
    browser.expect("reward.flat: 10", "#check")
    browser.has_no_errors("backtest")


class HeldStore(http.server.ThreadingHTTPServer):
    """A proxy in front of `punchcard store`. Scans wait until they are let go, so that a backtest goes on."""

    def __init__(self, store):
        super().__init__(("127.0.0.1", 0), HeldStore.Handler)
        self.store, self.let_go = store, threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A console whose backtest is cancelled hangs up on the read that waits."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["x-amz-target"].endswith(".Scan"):
                self.server.let_go.wait(60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            request = urllib.request.Request(self.server.store, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    status, answer = response.status, response.read()
            except urllib.error.HTTPError as error:
                status, answer = error.code, error.read()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass


def running_backtest(browser, store):
    """Looks at a backtest of a stack while it is running, and cancels it by keyboard."""
    held = HeldStore(store)
    command = ["target/debug/punchcard", "console", "--stack", "punchcard", "--endpoint-url", held.url, "--region", "us-east-1"]
    console = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = browser.url
    try:
        link = next(line.strip() for line in console.stdout if "/console/enter?token=" in line)
        browser.url = link.split("/console/")[0]
        browser.driver.get(link)
        browser.open("/console/catalog/draft")
        browser.settle("/console/catalog/draft")
        browser.tab_to("backtest-button")
        browser.keys(Keys.ENTER)
        browser.expect("Backtest, running")
        for scheme in ["light", "dark"]:
            for width in WIDTHS:
                browser.look(scheme, width)
                browser.obeys_axe(f"a backtest that is running, {scheme}, {width}")
                browser.fits(f"a backtest that is running, {scheme}, {width}")
                browser.picture(f"backtest-running-{scheme}-{width}")
        browser.look()
        browser.tab_to("Cancel the backtest")
        browser.keys(Keys.ENTER)
        browser.expect("Cancelled.")
        browser.obeys_axe("a cancelled backtest")
        browser.has_no_errors("a backtest that is running")
    finally:
        browser.url = url
        held.let_go.set()
        console.terminate()
        console.wait(30)


def corrections(browser, api):
    def balance():
        return api.read("/client/users/session-1/balances")["balances"]["XYZ"]["loyalty"]

    before = balance()
    browser.open("/console/adjust?correlation=session-1")
    browser.find("#unit").send_keys("XYZ")
    browser.find("#points").send_keys("-20")
    browser.find("#note").send_keys("Paid twice <b>")
    browser.find("main button").click()
    browser.expect("What will happen")
    browser.expect(f"{before - 20:,}".replace("-", "−"))
    browser.obeys_axe("the confirmation of an adjustment")
    browser.picture("adjust-confirm")
    browser.check(balance() == before, "the confirmation writes nothing")
    browser.find("main button").click()
    browser.expect("Paid twice <b>")
    browser.check(balance() == before - 20, "the adjustment is written")

    browser.open("/console/record?activity=activity-2")
    browser.find("a.danger").click()
    browser.expect("What will happen")
    browser.obeys_axe("the confirmation of a void")
    browser.picture("void-confirm")
    browser.check(balance() == before - 20, "the confirmation writes nothing")
    browser.find("main button.danger").click()
    browser.expect("Reversal of activity-2")
    browser.check(balance() < before - 20, "the activity is void")
    browser.open("/console/record?activity=activity-2")
    browser.expect("reversed")
    browser.check(not browser.driver.find_elements(By.CSS_SELECTOR, "a.danger"), "it cannot be voided again")
    browser.has_no_errors("corrections")


def try_it(browser):
    samples = ["send-client-event.happy", "send-activity.happy", "track-event.happy", "place-order.happy",
               "refund-order.happy", "get-balances.happy", "explain-activity.happy", "preview-rewards.happy"]
    for sample in samples:
        browser.open(f"/console/try?sample={sample}")
        if sample == "send-activity.happy":
            path = browser.find("#path")
            path.clear()
            path.send_keys("/client/users/session-1/activities/tried-1")
        browser.find("[data-part=result]").click()
        browser.expect("Response", "#result")
        status = browser.text("#result .chip")
        browser.check(status.startswith("2"), f"{sample}: {browser.text('#result')}")
        if sample in ("send-activity.happy", "track-event.happy"):
            browser.expect("What was recorded", "#result")
            browser.expect("Why: ", "#result")
            browser.obeys_axe(sample)
            browser.picture(f"try-{sample.split('.')[0]}")
    browser.open("/console/try?sample=send-client-event.invalid")
    browser.find("[data-part=result]").click()
    browser.expect("Response", "#result")
    browser.check(browser.text("#result .chip").startswith("4"), browser.text("#result"))
    browser.open("/console/live")
    browser.settle("/console/live")
    browser.expect("send-client-event", "#recent")
    browser.has_no_errors("try it")


def hostile(browser):
    browser.open("/console/members")
    browser.find("#q").send_keys(HOSTILE, Keys.ENTER)
    browser.expect(HOSTILE, "h1")
    browser.find(".entry-title a").click()
    browser.expect("As it is stored")
    browser.expect(HOSTILE, "main")
    browser.check(not browser.driver.execute_script("return document.querySelector('main script')"), "text is no script")
    browser.has_no_errors("hostile ids")


def moves(browser, api):
    """The figures change without a reload."""
    browser.open("/console/live")
    browser.settle("/console/live")
    before = int(browser.text("#accepted").replace(",", ""))
    api.track("player-of-now", {"review": {}})
    browser.wait.until(lambda _: int(browser.text("#accepted").replace(",", "")) > before, "the figures do not move")
    browser.checks += 1


def main():
    if sys.argv[1] == "--pictures":
        return pictures(sys.argv[2], pathlib.Path(sys.argv[3]))
    url, store, axe, screenshots = sys.argv[1:]
    screenshots = pathlib.Path(screenshots)
    screenshots.mkdir(parents=True, exist_ok=True)
    api = Api(url)
    seed(api)
    browser = Browser(url, pathlib.Path(axe).read_text(), screenshots)
    try:
        browser.look()
        started = time.monotonic()
        running_backtest(browser, store)
        backtest(browser)
        every_page(browser)
        keyboard(browser)
        faulty_catalog(browser)
        corrections(browser, api)
        try_it(browser)
        hostile(browser)
        moves(browser, api)
    except Exception:
        browser.picture("failure")
        raise
    finally:
        browser.driver.quit()
    print(f"{browser.checks} checks of {len(PAGES)} pages passed in {time.monotonic() - started:.0f} s")


main()
