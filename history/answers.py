"""How the answers of a class of requests are compared with the right ones, in target files and in plans."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from history.values import FrozenModel, Share


def _short_form(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


class AnswerRule(FrozenModel):
    """Whether an answer that is whole is the right one, in target files and in plans.

    ``exact``: it must be the known completion, for as many tokens as were asked for. ``prefix``: both must agree as far as both go, so it
    may stop early. ``unknown``: nobody knows; its form is judged alone. ``None``: in a file, as its prompts say; in an older plan, exact
    where the completion is known.

    ``may_differ``: which share of answers may differ from the known ones at any time, since engines are not batch-invariant.
    """

    mode: Literal["exact", "prefix", "scored", "unknown"] | None = None
    may_differ: Share = Field(default=0.0, lt=1)

    @property
    def unknown(self) -> bool:
        """Tell whether no right answer is known."""
        return self.mode == "unknown"

    @property
    def text(self) -> str:
        """Return what is checked of answers and what is not, for a person."""
        if self.unknown:
            return "whole and in time; whether they are right is not checked, since the right ones are not known"
        rule = "the known beginning" if self.mode == "prefix" else "the known completion"
        allowed = f"; up to {self.may_differ * 100:.6g} % may differ" if self.may_differ else ""
        return f"whole, in time, and right: held against {rule}{allowed}"


Answers = Annotated[AnswerRule, BeforeValidator(_short_form)]
"""As people write it: ``answers: unknown`` says the mode alone."""
