"""Prints the demonstration: colour and a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from union_station.section import Section


class Display:
    """Everything the demonstration writes goes through here."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._step = ""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is being done while it is done."""
        self._step = text
        if not self.console.is_terminal:
            self.console.print(f"· {text}", markup=False)
            yield
            return
        with self.console.status(escape(text)) as status:
            self._status = status
            yield
        self.console.print(f"[green]✓[/] {escape(text)}")

    def progress(self, detail: str) -> None:
        """Say how far the current step is."""
        if self.console.is_terminal:
            self._status.update(escape(f"{self._step}: {detail}"))
        else:
            self.console.print(f"    {detail}", markup=False)

    def section(self, section: Section) -> None:
        table = Table(title=section.title, title_justify="left", title_style="bold", show_header=False, box=None)
        table.add_column(ratio=3, overflow="fold")
        table.add_column(justify="right", overflow="fold")
        table.add_column(width=2)
        for figure in section.figures:
            table.add_row(escape(figure.label), escape(str(figure.value)), self._mark(figure.ok))
        self.console.print()
        self.console.print(table)
        for line in section.transcript:
            self.console.print(f"    {line}", style="dim", markup=False, soft_wrap=True)

    def summary(self, sections: list[Section]) -> bool:
        """Print one line a section; whether every figure is as it should be."""
        self.console.print("\n[bold]Summary[/]")
        for section in sections:
            wrong = [figure.label for figure in section.figures if not figure.ok]
            said = f"{len(section.figures)} figures as they should be" if section.ok else f"WRONG: {'; '.join(wrong)}"
            self.console.print(f"  {self._mark(section.ok)} {escape(section.title)}: {escape(said)}")
        return bool(sections) and all(section.ok for section in sections)

    @staticmethod
    def _mark(ok: bool) -> str:
        return "[green]✓[/]" if ok else "[bold red]✗[/]"
