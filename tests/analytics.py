"""What analytics.sh does: `analytics.py send URL`, `analytics.py check|write EXPORT`.

Runs in an environment of its own, which has duckdb and sqlglot.
"""

import base64
import json
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import duckdb
import sqlglot

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/analytics.md"
QUERIES = ROOT / "docs/queries"
QUESTIONS = ["intake-per-hour", "points-per-offer", "duplicates-per-client", "top-members", "cost-per-point"]
# The columns of the key of each table.
KEYS = {
    "client_events": "customer_id, record_id",
    "activities": "record_id",
    "player_events": "player_id, record_id",
}
WHEN = "2024-10-01T07:00:00Z"


def send(url):
    """Sends what the answers of the document are about. Each answer is compared with what is expected of it."""

    def call(method, path, body=None, status=200, **headers):
        data = body.encode() if isinstance(body, str) else body and json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": kind}
        request = urllib.request.Request(url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                got, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            got, text = error.code, error.read()
        if got != status:
            sys.exit(f"{method} {path}: {got} instead of {status}: {text.decode()}")
        return json.loads(text) if text else None

    def client_events(customer, *events, status=200):
        credentials = {"clientId": "demo-client", "secret": "demo-secret"}
        session = call("POST", "/v2/session/startSession", credentials, x_source_customer_id=customer)
        headers = {"Authorization": f"Bearer {session['sessionToken']}", "x_source_customer_id": customer}
        call("POST", "/v2/events/clientEvent", {"clientEvents": list(events)}, status, **headers)

    def client_event(number, event, channel, section):
        return {
            "clientEventId": f"12395199-1565-4565-bf99-{number:012}",
            "clientEventType": "AdInteraction",
            "clientEvent": event,
            "clientEventTimestamp": WHEN,
            "clientEventMetadata": {"serveToken": "CiQ3MGU5", "section": section, "channel": channel},
        }

    # An app that makes a new id for each attempt, and one that repeats the id: only the first leaves a trace.
    activated = [client_event(number, "ActivateOffer", "OLB", "Dashboard") for number in (1, 2, 3)]
    # The order of members is not part of the content.
    activated[1]["clientEventMetadata"] = dict(reversed(activated[1]["clientEventMetadata"].items()))
    client_events("customer-1", *activated, client_event(4, "ActivateOffer", "OLB", "VIPLounge"))
    once = client_event(5, "ActivateOffer", "MobileApp", "Dashboard")
    client_events("customer-2", once, client_event(6, "ParkOffer", "MobileApp", "Dashboard"))
    client_events("customer-2", once, status=409)

    basic = base64.b64encode(b"demo-client:demo-secret").decode()
    token = call("POST", "/oauth2/token", "grant_type=client_credentials", Authorization=f"Basic {basic}")
    bearer = {"Authorization": f"Bearer {token['access_token']}"}

    def activity(session, number, action, unit="XYZ", channel="APP"):
        body = {"action": action, "channel": channel, "businessUnit": unit, "when": WHEN}
        call("POST", f"/client/users/{session}/activities/activity-{number}", body, **bearer)

    for account in "A-1001", "A-2002", "anonymous":
        session = {"correlationId": f"session-{account}", "channel": "APP"}
        call("POST", f"/client/users/{account}/sessions", session, **bearer)
    for number, action in enumerate(["SURVEY_RESPONSE"] * 3 + ["APP_DOWNLOAD"], 1):
        activity("session-A-1001", number, action)
    activity("session-A-2002", 5, "APP_DOWNLOAD")
    activity("session-A-2002", 6, "APP_DOWNLOAD", channel="WEB")
    activity("session-A-2002", 7, "APP_CHECKIN", unit="ABC")
    activity("session-anonymous", 8, "APP_CHECKIN")
    reversal = {"originalTransactionId": "activity-5", "externalReferenceId": "return-1"}
    call("POST", "/client/users/session-A-2002/void", reversal, **bearer)
    adjustment = {"channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 50}
    adjustment["externalReferenceId"] = "ticket-1"
    call("POST", "/client/users/session-A-2002/adhoc-reward", adjustment, **bearer)

    api_key = {"APIKey": "demo-api-key"}

    def events(player, **sent):
        call("POST", "/integrations/event", {"playerUniqueId": player, "events": sent}, **api_key)

    order = {"total_amount": "120", "category": ["electronics", "cosmetics"]}
    events("player123", place_order=order, review={})
    events("player456", review={})
    events("player456", profile_completed={})
    order = {"playerUniqueId": "player123", "orderId": "O-1001", "orderDate": WHEN, "category": ["electronics"]}
    call("POST", "/integrations/order", order | {"totalPaid": "90", "totalPrice": "100"}, **api_key)
    refund = {"customerId": "player123", "refundTransactionId": "R-1001", "reverseTransactionId": "O-1001"}
    refund |= {"transactionTime": WHEN, "refundAmount": 45}
    path = "/api/v4.0/integrations/transactions/refund"
    call("POST", path, refund, SecretKey="demo-secret-key", **api_key)


def query(name):
    """DuckDB's query."""
    return (QUERIES / "duckdb" / f"{name}.sql").read_text()


def translated(name):
    """Athena's query in DuckDB's SQL, on tables as Athena has them."""
    for kind in KEYS:
        options = "hive_partitioning = true, hive_types_autocast = false"
        duckdb.sql(f"CREATE OR REPLACE VIEW {kind} AS FROM read_parquet('records/{kind}/*/*.parquet', {options})")
    return sqlglot.transpile((QUERIES / f"{name}.sql").read_text(), read="athena", write="duckdb")[0]


def answer(name, archive, sql=query):
    """The names of the columns and the rows of an answer. The hour of the run is left out, and hours are added up."""
    os.chdir(archive)
    text = sql(name)
    if name == "intake-per-hour":
        text = f"SELECT api, sum(records)::bigint AS records FROM ({text}) GROUP BY api ORDER BY api"
    result = duckdb.sql(text)
    return result.columns, result.fetchall()


def table(columns, rows):
    cells = [[("" if cell is None else str(cell)) for cell in row] for row in [columns, *rows]]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]])


def document(export):
    """The document with the queries and answers as they are."""
    text = DOCUMENT.read_text()
    for name in QUESTIONS:
        part = f"\n\n```sql\n{query(name).rstrip()}\n```\n\n{table(*answer(name, export))}\n\n"
        pattern = rf"(<!-- tests/analytics\.sh --write: {name} -->).*?(<!-- end -->)"
        text, parts = re.subn(pattern, lambda found: found[1] + part + found[2], text, flags=re.DOTALL)
        if parts != 1:
            sys.exit(f"docs/analytics.md has {parts} places for {name}")
    return text


def stream(export, archive):
    """Writes an archive as S3 would have it: each record in two rows, of which the first is outdated, and in each table
    one more record, which was removed. One batch was delivered again, in part."""
    for kind, key in KEYS.items():
        outdated = "NULL AS channel" if kind == "client_events" else "0 AS points, '[]' AS awards"
        removed = f"'removed' AS {key.split(', ')[0]}"
        folder = next(Path(export, "records", kind).iterdir())
        read = f"FROM read_parquet('{export}/records/{kind}/*/*.parquet', hive_partitioning = false)"

        def write(file, number, *changes, limit="", folder=folder, read=read, kind=kind):
            changes = ", ".join([f"lpad('{number}', 40, '0') AS sequence_number", *changes])
            target = Path(archive, "records", kind, folder.name, f"{file:040}.parquet")
            target.parent.mkdir(parents=True, exist_ok=True)
            duckdb.sql(f"COPY (SELECT * REPLACE ({changes}) {read} {limit}) TO '{target}' (COMPRESSION zstd)")

        # 9 is before 10 as a number, and after it as a text that is not padded.
        write(9, 9, outdated)
        write(8, 8, removed, limit="LIMIT 1")
        write(10, 10)
        write(11, 10, limit="LIMIT 2")
        write(12, 12, removed, "true AS removed", limit="LIMIT 1")


def check(export):
    if DOCUMENT.read_text() != document(export):
        sys.exit("docs/analytics.md differs from the queries and their answers: run tests/analytics.sh --write")
    with tempfile.TemporaryDirectory() as archive:
        stream(export, archive)
        for name in QUESTIONS:
            columns, rows = answer(name, export)
            # Removed records were received, too.
            more = [(api, records + 1) for api, records in rows] if name == "intake-per-hour" else rows
            compare(f"{name} in Athena", (columns, rows), answer(name, export, translated))
            compare(f"{name} on S3's archive", (columns, more), answer(name, archive))
            compare(f"{name} in Athena on S3's archive", (columns, more), answer(name, archive, translated))
        os.chdir(ROOT)
    print(f"docs/analytics.md: {4 * len(QUESTIONS)} passed, 0 failed")


def compare(what, wanted, got):
    if wanted != got:
        sys.exit(f"{what}: {got} instead of {wanted}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", url]:
            send(url)
        case ["check", export]:
            check(export)
        case ["write", export]:
            DOCUMENT.write_text(document(export))
        case _:
            sys.exit(__doc__)
