"""Holds the exports of vswap against `vswap report`, as read by tools that are not ours.

Usage: exports.py VSWAP TRACE...
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import duckdb
import jsonschema
import yaml
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2
from prometheus_client.openmetrics.parser import text_string_to_metric_families

BACKENDS = ["folio", "zero", "zswap", "phys"]
# Bit of `flags`, as in vswap-common/src/record.rs.
VERIFY = 512
SUMS = {
    "alloc": "kind = 'alloc'",
    "free": "kind = 'free'",
    "zswpout": "kind = 'zswap_store'",
    "zswpin": "kind = 'load_zswap'",
    "zswpwb": "kind = 'write' AND flags & 2 <> 0",
    "pswpout": "kind = 'write'",
    "swpout_zero": "kind = 'zero'",
    "swpin_zero": "kind = 'load_zero'",
}


def same(what, ours, theirs):
    if ours != theirs:
        sys.exit(f"exports: {what}: the report says {ours}, the export {theirs}")


def vswap(binary, *args):
    """Output of a command; 3 says that the recording lost events, which the report counts too."""
    run = subprocess.run([binary, *map(str, args)], capture_output=True, text=True)
    if run.returncode not in (0, 3):
        sys.exit(f"exports: vswap {' '.join(map(str, args))}: {run.returncode}: {run.stderr}")
    return run.stdout


def tables(binary, trace, report, folder):
    events = folder / "events.parquet"
    vswap(binary, "export", trace, "--force", "-o", events)
    scanned = report["scan"] is not None
    for total, where in SUMS.items():
        # The report counts from the scan at the start; later ones, after a loss (val 1) or to compare (VERIFY), read slots.
        begin = f"SELECT max(ts) FROM '{events}' WHERE kind = 'scan_begin' AND val = 0 AND flags & {VERIFY} = 0"
        since = f"ts >= ({begin})" if scanned else "true"
        query = f"SELECT coalesce(sum(nr), 0)::BIGINT FROM '{events}' WHERE {where} AND {since}"
        same(total, report["totals"][total], duckdb.sql(query).fetchall()[0][0])
    same("events", report["events"], duckdb.sql(f"SELECT count(*) FROM '{events}'").fetchall()[0][0])
    if report["started"]:
        first = duckdb.sql(f"SELECT strftime(min(time), '%Y-%m-%dT%H:%M:%S') FROM '{events}'").fetchall()[0][0]
        same("start", report["started"][:19], first)

    slots = folder / "slots.parquet"
    vswap(binary, "export", trace, "--slots", "--force", "-o", slots)
    found = dict(duckdb.sql(f"SELECT backend, count(*) FROM '{slots}' GROUP BY backend").fetchall())
    for backend in BACKENDS:
        same(f"{backend} slots", report["backends"][backend], found.get(backend, 0))
    length = duckdb.sql(f"SELECT coalesce(sum(len), 0)::BIGINT FROM '{slots}'").fetchall()[0][0]
    same("bytes in zswap", report["zswap_bytes"], length)
    groups = duckdb.sql(f"SELECT coalesce(cgroup, '#' || memcg), count(*) FROM '{slots}' GROUP BY 1").fetchall()
    same("cgroups", {m["path"]: m["slots"] for m in report["memcgs"]}, dict(groups))

    for slots in [False, True]:
        more = ["--slots"] if slots else []
        schema = json.loads(vswap(binary, "export", "--json-schema", *more))
        checker = jsonschema.Draft202012Validator(schema)
        checker.check_schema(schema)
        lines = vswap(binary, "export", trace, *more, "--format", "ndjson", "-o", "-").splitlines()
        for line in lines[:: max(1, len(lines) // 500)]:
            checker.validate(json.loads(line))


def unknown(message):
    """Fields, at any depth, that the message's own definition does not have."""
    found = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.message_type:
            found += sum(map(unknown, value)) if hasattr(value, "append") else unknown(value)
    return found


def perfetto(binary, trace, report, folder):
    path = folder / "trace.pftrace"
    vswap(binary, "export", trace, "--force", "-o", path)
    decoded = perfetto_trace_pb2.Trace()
    decoded.ParseFromString(path.read_bytes())
    same("fields Perfetto does not know", 0, unknown(decoded))
    tracks, values, open_slices, slices = {}, {}, {}, {}
    ordered = []
    for n, packet in enumerate(decoded.packet):
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        elif packet.HasField("track_event"):
            same("clock", 3, packet.timestamp_clock_id)
            ordered.append((packet.timestamp, n, packet.track_event))
    event = perfetto_trace_pb2.TrackEvent
    for ts, n, e in sorted(ordered, key=lambda o: (o[0], o[1])):
        assert e.track_uuid in tracks, "an event on no track"
        if e.type == event.TYPE_COUNTER:
            assert tracks[e.track_uuid].HasField("counter")
            values[tracks[e.track_uuid].name] = e.counter_value
        elif e.type == event.TYPE_SLICE_BEGIN:
            assert e.track_uuid not in open_slices, f"slices overlap on {tracks[e.track_uuid].name}"
            open_slices[e.track_uuid] = e.name
        elif e.type == event.TYPE_SLICE_END:
            name = open_slices.pop(e.track_uuid)
            slices[name] = slices.get(name, 0) + 1
    same("slices left open", {}, open_slices)
    for backend in BACKENDS:
        same(f"counter of {backend}", report["backends"][backend], values[f"slots: {backend}"])
    same("counter of zswap's bytes", report["zswap_bytes"], values["zswap: compressed bytes"])
    for memcg in report["memcgs"]:
        same(f"counter of {memcg['path']}", memcg["slots"], values[f"cgroup {memcg['path']}"])
    for device in report["devices"]:
        total = sum(values[f"{device['name']} ({device['dev']}): {b}"] for b in BACKENDS)
        same(f"counters of {device['name']}", device["used"], total)
    loads = report["latency_ns"]["load_zswap"]["count"]
    same("slices of swap-in from zswap", loads, slices.get("swap-in from zswap", 0))


def fleet(binary, page, traces):
    """Runs the queries of docs/fleet.md over the recordings, each as a host of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for trace in traces:
            host = Path(folder) / Path(trace).stem
            host.mkdir()
            vswap(binary, "export", trace, "-o", host / "a.parquet")
            vswap(binary, "export", trace, "--slots", "-o", host / "a.slots.parquet")
        queries = re.findall(r"```sql\n(.*?)```", page.read_text(), re.S)
        assert len(queries) >= 5, "docs/fleet.md has lost its queries"
        for query in queries:
            query = query.replace("/srv/fleet", folder)
            if query.startswith("CREATE"):
                duckdb.sql(query)
                continue
            rows = duckdb.sql(query.rstrip().rstrip(";")).fetchall()
            assert rows, f"no rows from: {query}"
            print(f"fleet: {len(rows)} rows, first {rows[0]}")


def openmetrics(binary, rules):
    run = subprocess.Popen(
        [binary, "demo", "--headless", "--openmetrics", "0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        said = run.stderr.readline()
        address = said.strip().rsplit(" ", 1)[1]
        assert address.startswith("http://127.0.0.1:"), said
        time.sleep(3)
        with urllib.request.urlopen(address, timeout=10) as answer:
            kind, text = answer.headers["Content-Type"], answer.read().decode()
        assert kind.startswith("application/openmetrics-text"), kind
        families = {f.name: f for f in text_string_to_metric_families(text)}
        slots = {s.labels["backend"]: s.value for s in families["vswap_slots"].samples}
        same("backends", {"unknown", *BACKENDS}, set(slots))
        by_device = sum(s.value for s in families["vswap_device_slots"].samples)
        same("slots of all devices", sum(slots.values()), by_device)
        assert families["vswap_pages"].type == "counter" and families["vswap_events"].samples[0].value > 0
        # Reading changes nothing, and a wrong verb gets nothing.
        try:
            urllib.request.urlopen(urllib.request.Request(address, data=b"x"), timeout=10)
            sys.exit("exports: the endpoint took a POST")
        except urllib.error.HTTPError as refused:
            same("answer to a POST", 405, refused.code)
    finally:
        run.kill()
        run.wait()
    known = {s.name for f in families.values() for s in f.samples} | set(families)
    groups = yaml.safe_load(rules.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        wanted = set(re.findall(r"(?<![:\w])vswap_\w+(?![:\w])", rule["expr"]))
        assert wanted <= known | recorded, f"{rule} names what is not served: {wanted - known}"
    print(f"rules: {len(rules)} name only metrics that are served")
    print(f"openmetrics: {len(families)} families read by prometheus_client")


def main():
    binary, *traces = sys.argv[1:]
    for trace in traces:
        report = json.loads(vswap(binary, "report", "--json", trace))
        with tempfile.TemporaryDirectory() as folder:
            tables(binary, trace, report, Path(folder))
            perfetto(binary, trace, report, Path(folder))
        print(f"{Path(trace).name}: {report['events']} events; DuckDB, JSON Schema and Perfetto agree with the report")
    root = Path(__file__).resolve().parents[2]
    fleet(binary, root / "docs/fleet.md", traces)
    openmetrics(binary, root / "dist/vswap.rules.yml")


main()
