from __future__ import annotations

from pathlib import Path

import pytest

from bench.common.published import DOCS, FIGURES, main, read

GOOD = {
    "mutations.md": "**0 of 40 mutants pass; 40 of 40 are named by the check that must name them; 12 of 12 twins pass.**",
    "null-runs.md": "**30 judged runs: 29 PASS, 1 INCONCLUSIVE, 0 FAIL, 0 REFUSED, 0 BROKEN.**",
    "kill-campaign.md": "**SIGKILL**: 100 trials (8 of them whole pytest sessions): 0 with a fault alive after its deadline, "
    "0 in whose round something was left after heal.\n\n"
    "**SIGTERM, SIGINT**: 50 trials (5 of them whole pytest sessions): 0 with a fault alive after its deadline, "
    "0 in whose round something was left after heal.",
    "out-of-reach.md": "| API server cut off: false verdicts | 0 of 24 | 0 |",
    "bad-input.md": "13 of 13 cases: 13 as they must be, 0 not.",
}


def publish(docs: Path, **changed: str) -> int:
    for page, text in (GOOD | {name.replace("_", "-") + ".md": text for name, text in changed.items()}).items():
        (docs / page).write_text(text)
    return main(docs)


def test_every_figure_that_we_publish_is_found_on_its_page() -> None:
    assert {figure.page for figure in FIGURES if read(figure, DOCS)[0] == "not published"} == set()


def test_figures_that_reach_their_bounds_pass(tmp_path: Path) -> None:
    assert publish(tmp_path) == 0


@pytest.mark.parametrize(
    ("page", "was", "is_now"),
    [
        ("mutations", "**0 of 40 mutants", "**1 of 40 mutants"),
        ("mutations", "40 of 40 are named", "39 of 40 are named"),
        ("mutations", "12 of 12 twins", "11 of 12 twins"),
        ("null_runs", "0 FAIL", "1 FAIL"),
        ("null_runs", "30 judged", "29 judged"),
        ("kill_campaign", "100 trials", "99 trials"),
        ("kill_campaign", "): 0 with", "): 1 with"),
        ("kill_campaign", "50 trials", "49 trials"),
        ("kill_campaign", "0 in whose", "1 in whose"),
        ("out_of_reach", "0 of 24", "1 of 24"),
        ("bad_input", "13 of 13", "12 of 13"),
        ("bad_input", "13 as they must be", "12 as they must be"),
    ],
)
def test_a_figure_that_misses_its_bound_is_told(tmp_path: Path, page: str, was: str, is_now: str) -> None:
    text = GOOD[page.replace("_", "-") + ".md"]
    assert was in text
    assert publish(tmp_path, **{page: text.replace(was, is_now)}) == 1
