"""What an experiment needs to be known, beside what it names: the right answers for a verdict on their content, Prometheus for a queue."""

from __future__ import annotations

from history.errors import ConfigError
from runner.experiment.experiment import Experiment
from runner.experiment.format import Probe
from target.requests import RequestsClass
from target.target import Target

ANSWERS = "answers"
QUEUE = "probes.queue."


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


def unmeasurable(experiment: Experiment, target: Target) -> str:
    """Return why nobody could see what ``experiment`` is about on ``target``: it asks Prometheus, and there is none; else empty.

    A hypothesis that asks for more than the queue is not about it: the queue is left out (:func:`without_queue`).
    """
    if any(region.prometheus for region in target.regions.values()):
        return ""
    asking = [probe.name for probe in of_queue(experiment) if probe in experiment.settings.evidence]
    asking = asking or [probe.name for probe in of_queue(experiment) if not without_queue(experiment)]
    asking += [f"stop_when {item.promql}" for item in experiment.settings.stop_when if item.promql]
    to_test = "to test this here, add prometheus to the region"
    return f"it asks Prometheus ({', '.join(asking)}), and target {target.name} names none; {to_test}" if asking else ""


def of_queue(experiment: Experiment) -> list[Probe]:
    """Return the probes of hypothesis and evidence that ask for the queue."""
    believed = experiment.document.hypothesis.probes if experiment.document.hypothesis else ()
    return [probe for probe in (*believed, *experiment.settings.evidence) if probe.provider.name.startswith(QUEUE)]


def without_queue(experiment: Experiment) -> list[Probe]:
    """Return the probes of the file's own hypothesis that ask for something else than the queue."""
    believed = experiment.document.hypothesis.probes if experiment.document.hypothesis else ()
    return [probe for probe in believed if not probe.provider.name.startswith(QUEUE)]


def check_needs(experiment: Experiment, target: Target) -> None:
    """Refuse an experiment that would pass for want of right answers, or that nobody could see. Raises ConfigError: with file and line."""
    if why_not := unanswerable(experiment, target):
        raise experiment.located.error(("extensions", experiment.extension_at(), "needs"), f"needs: {why_not}")
    if why_not := unmeasurable(experiment, target):
        raise experiment.located.error((), why_not)
