"""Writing a report: its pages and data in one folder, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reports.build import Context, build
from reports.model import Report
from reports.page.html import FOLDER, pages
from reports.page.junit import Inconclusive, junit
from reports.page.markdown import markdown


def render(run_dirs: Sequence[Path], out_dir: Path, context: Context | None = None) -> Path:
    """Render the runs in ``run_dirs`` into ``out_dir`` (made if needed) and return the path of ``index.html``.

    Writes ``index.html`` with ``experiments/``, ``definitions.html`` and ``style.css``, the one file ``report.html``, and ``report.json``,
    ``junit.xml`` and ``summary.md``. A run that cannot be read is shown as such.
    """
    return write(build(run_dirs, context), out_dir)


def write(report: Report, out_dir: Path, inconclusive: Inconclusive = "error") -> Path:
    """Write all pages of ``report`` into ``out_dir`` and return the path of ``index.html``; pages of an earlier report there go.

    ``inconclusive`` says as what JUnit counts it.
    """
    made = {
        "report.json": report.model_dump_json(by_alias=True),
        "junit.xml": junit(report, inconclusive),
        "summary.md": markdown(report),
        **pages(report),
    }
    write_whole(out_dir, made)
    for page in (out_dir / FOLDER).glob("*.html"):
        if f"{FOLDER}/{page.name}" not in made:
            page.unlink()
    return out_dir / "index.html"


def write_whole(out_dir: Path, files: Mapping[str, str]) -> Path:
    """Write ``files`` by path into ``out_dir`` (made if needed), each whole or not at all, and return that folder."""
    for name, content in files.items():
        part = out_dir / f"{name}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(content, encoding="utf-8")
        part.replace(out_dir / name)
    return out_dir
