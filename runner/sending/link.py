"""Where the report can be read: as the session was told, or the page of the job that runs it."""

from __future__ import annotations

from collections.abc import Mapping

OF_JOB = ("CI_JOB_URL", "BUILD_URL")
"""What GitLab and Jenkins call the address of a job's page."""
GITHUB = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def link_of(given: str, environment: Mapping[str, str]) -> str:
    """Return the address under which people find the report; empty: nobody says."""
    server, repository, run = (environment.get(name, "") for name in GITHUB)
    github = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    return next(filter(None, (given, *(environment.get(name, "") for name in OF_JOB), github)), "")
