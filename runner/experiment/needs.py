"""What an experiment needs to be known, beside what it names: a verdict on the content of answers takes the right ones."""

from __future__ import annotations

from history.errors import ConfigError
from runner.experiment.experiment import Experiment
from target.requests import RequestsClass
from target.target import Target

ANSWERS = "answers"


def unanswerable(experiment: Experiment, target: Target) -> str:
    """Return why nobody could tell right answers from wrong ones in ``experiment`` on ``target``; empty if that is known or not asked.

    A prompts file that is wrong is for preflight to refuse, and a class that is not there is another mistake.
    """
    classes = {name: target.workloads[name] for name in experiment.settings.workloads if name in target.workloads}
    if ANSWERS not in experiment.settings.needs or any(isinstance(one, RequestsClass) and _known(one) for one in classes.values()):
        return ""
    whose = " and ".join(classes)
    return (
        f"it is about the content of answers, and target {target.name} knows no right answers of {whose}; "
        "to test this here, give its prompts their completions"
        if classes
        else ""
    )


def _known(users: RequestsClass) -> bool:
    try:
        return not users.answer_rule().unknown
    except ConfigError:
        return True


def check_needs(experiment: Experiment, target: Target) -> None:
    """Refuse an experiment that would pass for want of right answers. Raises ConfigError: with file and line."""
    if why_not := unanswerable(experiment, target):
        raise experiment.located.error(("extensions", experiment.extension_at(), "needs"), f"needs: {why_not}")
