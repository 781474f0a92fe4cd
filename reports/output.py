"""Writing a report: four files in one folder, each whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.build import Context, build
from reports.model import Report
from reports.page.html import html
from reports.page.junit import junit
from reports.page.markdown import markdown


def render(run_dirs: Sequence[Path], out_dir: Path, context: Context | None = None) -> Path:
    """Render the runs in ``run_dirs`` into ``out_dir`` (made if needed) and return the path of ``index.html``.

    Writes ``index.html``, ``report.json``, ``junit.xml`` and ``summary.md``. A run that cannot be read is shown as such.
    """
    return write(build(run_dirs, context), out_dir)


def write(report: Report, out_dir: Path) -> Path:
    """Write all pages of ``report`` into ``out_dir`` and return the path of ``index.html``."""
    out_dir.mkdir(parents=True, exist_ok=True)
    pages = {
        "report.json": report.model_dump_json(by_alias=True),
        "junit.xml": junit(report),
        "summary.md": markdown(report),
        "index.html": html(report),
    }
    for name, content in pages.items():
        part = out_dir / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(out_dir / name)
    return out_dir / "index.html"
