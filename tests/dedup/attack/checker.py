"""Compares what the clients were told with what the tables say."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

Event = Mapping[str, Any]

IN_FLIGHT = ("pending", "executing", "interrupted")

ROWS = """
SELECT p.*, p.id::text AS row, encode(p.content_hash, 'hex') AS key,
  (SELECT count(*) FROM interlock.audit a WHERE a.subject = p.id::text) AS audited,
  (SELECT count(*) FROM interlock.proposal_payloads l WHERE l.org_id = p.org_id AND l.proposal_id = p.id) AS payloads,
  (SELECT count(*) FROM interlock.proposal_targets t WHERE t.org_id = p.org_id AND t.proposal_id = p.id) AS targets
FROM interlock.proposals p
"""

# first_seen_at is taken a moment before the guard is asked.
OVERLAP = timedelta(milliseconds=500)


def read_logs(paths: Iterable[Path]) -> list[Event]:
    """Return every whole line of every log; a kill may have cut the last one short."""
    lines = [line for path in paths for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def violations(events: list[Event], rows: list[Mapping[str, Any]]) -> list[str]:
    """Return what is not as it must be; empty if nothing is."""
    found: list[str] = []
    _one_in_flight(rows, found)
    _decisions(events, rows, found)
    _executions(events, rows, found)
    for row in rows:
        if row["audited"] != row["version"] - 1:
            found.append(f"{row['row']}: version {row['version']} and {row['audited']} audit rows")
        if row["payloads"] != 1:
            found.append(f"{row['row']}: {row['payloads']} payloads")
        if (row["targets"] > 0) != (row["state"] in IN_FLIGHT):
            found.append(f"{row['row']}: {row['state']} with {row['targets']} targets")
    return found


def _one_in_flight(rows: list[Mapping[str, Any]], found: list[str]) -> None:
    by_key = defaultdict(list)
    for row in rows:
        by_key[row["org_id"], row["key"]].append(row)
    for key, same in by_key.items():
        held = [row for row in same if row["state"] in IN_FLIGHT]
        if len(held) > 1:
            found.append(f"{key}: {len(held)} rows in flight")
        same.sort(key=lambda row: row["first_seen_at"])
        for earlier, later in itertools.pairwise(same):
            if earlier["ended_at"] is None or later["first_seen_at"] < earlier["ended_at"] - OVERLAP:
                found.append(f"{key}: {later['row']} began while {earlier['row']} was in flight")


def _decisions(events: list[Event], rows: list[Mapping[str, Any]], found: list[str]) -> None:
    known = {row["row"]: row for row in rows}
    asked = Counter((event["org"], event["key"]) for event in events if event["op"] == "ask" and event["commits"])
    told = Counter()
    created = Counter()
    for event in events:
        if event["op"] != "decided":
            continue
        told[event["org"], event["key"]] += 1
        created[event["id"]] += event["reason"] == "new"
        row = known.get(event["id"])
        if row is None or (row["org_id"], row["key"]) != (event["org"], event["key"]):
            found.append(f"told of {event['id']}, which is not a row of this org and content")
    found.extend(f"{id} was new {times} times" for id, times in created.items() if times > 1)
    seen = Counter()
    for row in rows:
        seen[row["org_id"], row["key"]] += row["seen_count"]
    for key in asked | seen:
        if not told[key] <= seen[key] <= asked[key]:
            found.append(f"{key}: told {told[key]} times, seen {seen[key]}, asked {asked[key]}")


def _executions(events: list[Event], rows: list[Mapping[str, Any]], found: list[str]) -> None:
    known = {row["row"]: row for row in rows}
    begun = Counter((event["id"], event["attempt"]) for event in events if event["op"] == "execute")
    found.extend(f"{key} was executed {times} times" for key, times in begun.items() if times > 1)
    completed = Counter()
    for event in events:
        if event["op"] == "completed":
            completed[event["id"]] += 1
            row = known[event["id"]]
            if event["late"]:
                found.append(f"{event['id']}: a worker that was too late was believed")
            if (row["state"], row["attempt"]) != ("completed", event["attempt"]):
                found.append(f"{event['id']}: told completed, and is {row['state']}, attempt {row['attempt']}")
    found.extend(f"{id} was completed {times} times" for id, times in completed.items() if times > 1)
    for id, attempt in begun:
        row = known.get(id)
        if row is None or row["approved_at"] is None or row["attempt"] < attempt:
            found.append(f"{id}: attempt {attempt} was executed without an approval")
