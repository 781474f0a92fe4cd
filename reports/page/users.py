"""What the page says of users: why requests were bad, who was under way at the fault, and who called it healthy meanwhile."""

from __future__ import annotations

from reports import names
from reports.model import Trial
from reports.night.harm import harm_of
from reports.page.views import measurement_text
from verdict.words import count, listed, number


def reason_rows(trial: Trial) -> list[tuple[str, str]]:
    """Return (why, how many) of the bad requests, the commonest first; empty if none was bad. The counts add up to all."""
    found = [(name, value) for name in names.REASONS if (value := trial.value(name))]
    return [(names.REASONS[name], number(value, 9)) for name, value in sorted(found, key=lambda one: -one[1])]


def sum_sentence(trial: Trial) -> str:
    """Say what became of all requests, in the words of the table of experiments; the counts add up. Empty: it is not known."""
    asked, bad, harm = trial.value(names.ASKED), trial.value(names.BAD_REQUESTS), harm_of(trial)
    parts = {"wrong": harm.wrong, "cut": harm.cut, "late": harm.late, "refused": harm.refused, "lost by the load": harm.other}
    if not asked or bad is None or sum(value or 0.0 for value in parts.values()) != bad:
        return ""
    became = [f"{number(value, 9)} {what}" for what, value in parts.items() if value]
    good = f"{number(asked - bad, 9)} good"
    return f"Of {count(int(asked), 'request')} under way at the fault or asked until watching ended: {listed([good, *became], most=6)}."


def caught_sentence(trial: Trial) -> str:
    """Say which requests were under way at the fault, and which of them it hurt; empty if there were none, or it is not known."""
    under_way, caught = trial.value(names.UNDER_WAY), trial.value(names.INTERRUPTED)
    if not under_way or caught is None:
        return ""
    at_all = f"{count(int(under_way), 'answer was', 'answers were')} under way when the fault struck"
    if not caught:
        return f"{at_all}; none was hurt."
    parts = [f"{number(value, 9)} {where}" for name, where in names.WHERE.items() if (value := trial.value(name))]
    why = trial.measured(names.INTERRUPTED)
    became = f" ({why.sentence})" if why and why.sentence else ""
    return f"{at_all}; {number(caught, 9)} of them {'was' if caught == 1 else 'were'} hurt{became}: {listed(parts)}."


def green_sentences(trial: Trial) -> list[str]:
    """Say for how long health and Kubernetes said that all was well while it was not, if they did."""
    everyone, target, condition = (trial.measured(name) for name in (names.FALSE_HEALTHY, names.TARGET_GREEN, names.FALSE_READY))
    said = []
    if everyone and everyone.value:
        said.append(f"Health said green for {measurement_text(everyone)} while users were not served.")
    if trial.outages and target and target.value:
        about = "" if target.censored or not target.sentence else f" ({target.sentence})"
        said.append(f"The faulted replica's own health{about} stayed green for {measurement_text(target)} after the fault.")
    if condition and condition.value:
        said.append(f"Kubernetes called {condition.sentence} Ready for {measurement_text(condition)} in which it did not serve.")
    return said
