"""Judges what a run proved: a silent pass is not a pass."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from interlock.testing.oracles import ORACLES
from interlock.testing.report import Report
from interlock.testing.story import MATRIX
from interlock.testing.verdicts import Vacuous

if TYPE_CHECKING:
    from interlock.testing.session import Session

_FILES = "(StaticFiles)"


def conclude(session: Session, report: Report, played: Collection[str]) -> None:
    """Add the vacuous parts and the notes, for a run that was to play ``played``."""
    _endpoints_without_success(session, report, played)
    _discovery(session, report)
    _positive_control(session, report)
    _time(session, report)
    _roles(session, report)
    _left_out(session, report)
    _declarations(session, report)


def _endpoints_without_success(session: Session, report: Report, played: Collection[str]) -> None:
    covered, everything = report.coverage, MATRIX in played
    for endpoint in session.endpoints:
        if covered.succeeded.get(endpoint.name) or report.leaks:
            continue
        once = session.learned[endpoint.name].works
        if once and (session.cut_short or not (everything or endpoint.name in played)):
            continue  # it was not its turn: if for want of time, the run itself is vacuous
        declared = session.options.vacuous.get(endpoint.name)
        if declared is not None:
            report.notes.append(f"{endpoint.name} is declared vacuous: {declared}")
            continue
        last = covered.last_failure.get(endpoint.name, "never sent")
        advice = f"give it what it needs with overrides={{{endpoint.name!r}: …}}, or declare it vacuous={{…: reason}}"
        report.vacuous.append(
            Vacuous(
                endpoint.name,
                f"succeeded while it was explored, but not with two orgs (last: {last[:160]})"
                if once
                else f"never succeeded for its own org (last: {last[:160]})",
                f"raise max_examples= or max_seconds=, or {advice}" if once else advice,
            )
        )


def _discovery(session: Session, report: Report) -> None:
    if not session.endpoints:
        report.vacuous.append(
            Vacuous(
                "the application",
                "has no routes that can be enumerated",
                "pass the FastAPI or Starlette object itself",
            )
        )
    for route in session.discovery.undrivable:
        if route.endswith(_FILES):
            report.notes.append(f"{route} serves files and was not driven")
        elif route not in session.options.vacuous:
            report.vacuous.append(
                Vacuous(route, "cannot be driven", f"test it apart and declare vacuous={{{route!r}: reason}}")
            )
    for operation in session.discovery.only_in_openapi:
        report.vacuous.append(
            Vacuous(
                operation, "is in the OpenAPI document but was not found among the routes", "report this to Interlock"
            )
        )


def _positive_control(session: Session, report: Report) -> None:
    plants = any(
        leaf.place == "body" and leaf.told_apart
        for one in session.learned.values()
        for leaf in (one.template.leaves() if one.works else ())
    )
    if plants and not report.coverage.own_canary_seen and not report.leaks:
        report.vacuous.append(
            Vacuous(
                "the run",
                "no org was ever shown what it had written itself",
                "check that headers_for authenticates as the org that create_org made",
            )
        )


def _time(session: Session, report: Report) -> None:
    if session.cut_short and not report.leaks:
        report.vacuous.append(
            Vacuous("the run", "the time was up before every endpoint had been played once", "raise max_seconds=")
        )


def _roles(session: Session, report: Report) -> None:
    bypassing, bound = session.roles
    if session.truth is None or not any(table.row_security for table in session.truth.tables):
        return
    if bypassing and not bound:
        # First, because it says what the rest of the report is worth.
        report.vacuous.insert(
            0,
            Vacuous(
                "the database role",
                f"the application is connected as {', '.join(bypassing)}, which row-level security does not bind: "
                "the policies that are to isolate the orgs were not tested, whatever the table above says",
                "connect it as a role without SUPERUSER and BYPASSRLS that owns no table, and FORCE RLS",
            ),
        )


def _left_out(session: Session, report: Report) -> None:
    report.notes += [f"unconfirmed: {one}" for one in dict.fromkeys(session.unconfirmed)]
    for oracle in ORACLES:
        if oracle.code in session.options.without:
            report.notes.append(f"{oracle.code} ({oracle.title}) was left out on request")
        elif oracle.needs_truth and session.truth is None:
            report.notes.append(f"{oracle.code} ({oracle.title}) was not run: it needs admin=")
    if session.truth is not None and not session.truth.tables:
        report.notes.append("the admin role sees no table with a tenant column: name it in tenant_columns=")

    ended = [name for name, learned in session.learned.items() if learned.ends_session]
    report.notes += [f"{name} ends the session of whoever calls it: it was called once" for name in ended]
    if session.discovery.documentation:
        report.notes.append(f"{', '.join(session.discovery.documentation)}: the framework's own pages, not driven")


def _declarations(session: Session, report: Report) -> None:
    for name, shared in session.options.shared.items():
        if shared.expired:
            report.notes.append(f"{name} was declared shared until {shared.until}: the declaration no longer counts")
        elif name in session.used_declarations:
            report.notes.append(f"{name} is shared by design: {shared.reason}")
        else:
            report.notes.append(f"{name} is declared shared, but nothing shared was seen there: a stale declaration?")
