#!/usr/bin/env python3
"""`punchcard serve` under load: requests and events a second, latency, memory and disk, and what it does with too much.

Needs wrk, and an optimised build: cargo build --profile faults -p punchcard (that profile is quick to build; a release
is little faster). Everything runs on one machine: the load generator takes its share of the same processors.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parents[2] / "target/faults/punchcard"


@contextlib.contextmanager
def serve(binary, *options):
    """A running `serve --demo`: its process and its address."""
    process = subprocess.Popen([binary, "serve", "--demo", "--addr", "127.0.0.1:0", *options],
                               stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().split("//")[1].strip()
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        yield process, address
    finally:
        process.terminate()
        process.wait()


def post(address, path, body, headers):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def token(address):
    credentials = {"clientId": "demo-client", "secret": "demo-secret"}
    return post(address, "/v2/session/startSession", credentials, {"x-source-customer-id": "customer-1"})[1]["sessionToken"]


def wrk(address, bearer, run, batch, connections, seconds, pause=0):
    command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s",
               "-s", HERE / "events.lua", f"http://{address}", "--", bearer, str(run), str(batch), str(pause)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said.strip().splitlines()[-1])


def memory(process):
    """Now and at most, in MB."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status") if ":" in line)
    return [int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


def table(binary, seconds):
    print("| store | events a request | connections | requests/s | events/s | p50 | p99 | memory | on disk an event |")
    print("|---|---|---|---|---|---|---|---|---|")
    for store in ("--memory", "--data"):
        for batch in (1, 25, 100):
            for connections in (1, 16, 64):
                with tempfile.TemporaryDirectory() as folder:
                    options = ["--memory"] if store == "--memory" else ["--data", folder]
                    with serve(binary, *options) as (process, address):
                        before = disk(folder)
                        said = wrk(address, token(address), 1, batch, connections, seconds)
                        assert said["failed"] == said["refused"] == 0, said
                        a_second = said["accepted"] / said["seconds"]
                        peak = memory(process)[1]
                        growth = (disk(folder) - before) / (said["accepted"] * batch)
                    on_disk = f"{growth:.0f} B" if store == "--data" else ""
                    print(f"| `{store}` | {batch} | {connections} | {a_second:,.0f} | {a_second * batch:,.0f} | "
                          f"{said['p50']:.1f} ms | {said['p99']:.1f} ms | {peak:.0f} MB | {on_disk} |", flush=True)


def disk(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def overload(binary, seconds):
    """Twice what it takes, over more connections than there is room for, beside a polite client with one request at a time."""
    with serve(binary, "--memory") as (process, address):
        bearer, run = token(address), iter(range(1, 100))
        alone = wrk(address, bearer, next(run), 1, 64, 10)
        print(f"what it takes: {alone['accepted'] / alone['seconds']:,.0f}/s at 64 connections, p99 {alone['p99']:.0f} ms")
        report("before", polite(address, bearer, 5))
        pause = round(1024 / (2 * alone["accepted"] / alone["seconds"]) * 1000)
        storm = threading.Thread(target=lambda: storms.append(wrk(address, bearer, next(run), 1, 1024, seconds, pause)))
        storms = []
        storm.start()
        time.sleep(2)
        during = polite(address, bearer, seconds - 4)
        storm.join()
        storms = storms[0]
        each = {name: storms[name] / storms["seconds"] for name in ("accepted", "refused", "failed")}
        print(f"1,024 connections for {seconds} s: {sum(each.values()):,.0f}/s asked for, {each['accepted']:,.0f}/s accepted, "
              f"{each['refused']:,.0f}/s refused with 429, {storms['failed']} failed; p99 of all {storms['p99']:.0f} ms")
        report("during", during)
        report("after", polite(address, bearer, 5))
        now, peak = memory(process)
        print(f"memory: {now:.0f} MB now, {peak:.0f} MB at most (all that was recorded is in it)")


def polite(address, bearer, seconds):
    """One request after the other, ten a second: the statuses and how long the accepted and the refused ones took."""
    accepted, refused, end = [], [], time.monotonic() + seconds
    while time.monotonic() < end:
        event = {"clientEventId": f"{os.urandom(4).hex()}-0000-4000-8000-{os.urandom(6).hex()}",
                 "clientEventType": "SessionAction", "clientEvent": "LogEnrollment",
                 "clientEventTimestamp": "2024-10-01T07:00:00Z"}
        headers = {"authorization": f"Bearer {bearer}", "x-source-customer-id": "customer-1"}
        begun = time.monotonic()
        status, answer = post(address, "/v2/events/clientEvent", {"clientEvents": [event]}, headers)
        assert status in (200, 429), answer
        (accepted if status == 200 else refused).append((time.monotonic() - begun) * 1000)
        time.sleep(0.1)
    return accepted, refused


def report(when, both):
    said = [f"{name} {len(times)}" + (f" (median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms)" if times else "")
            for name, times in zip(("accepted", "refused"), both)]
    print(f"a polite client {when}: {', '.join(said)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["table", "overload"], nargs="?", default="table")
    parser.add_argument("--seconds", type=int, help="for each line of the table (5), or for the overload (60)")
    parser.add_argument("--binary", default=BINARY, help="default: target/faults/punchcard")
    options = parser.parse_args()
    if options.what == "table":
        table(options.binary, options.seconds or 5)
    else:
        overload(options.binary, options.seconds or 60)


if __name__ == "__main__":
    main()
