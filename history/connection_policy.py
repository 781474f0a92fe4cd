"""How the load's users connect, in target files and in plans."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from history.values import FrozenModel

USERS = 50


class ConnectionPolicy(FrozenModel):
    """How users connect.

    - ``users``: so many clients, each with keep-alive connections of its own; one is drawn for each arrival.
    - ``each_request``: each request has a connection of its own.
    - ``shared``: all requests of a worker share its connections, the most recently used first, as one client's pool does. Behind a
      balancer of connections they stay away from a replica that hangs.
    """

    mode: Literal["users", "each_request", "shared"] = "users"
    users: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _as_many(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        """Write down how many users there are where nobody said it."""
        if isinstance(data, dict) and data.get("mode", "users") == "users" and data.get("users") is None:
            return data | {"users": USERS}
        return data

    @model_validator(mode="after")
    def _users_have_a_number(self) -> ConnectionPolicy:
        if self.mode != "users" and self.users is not None:
            raise ValueError(f"users is for mode users, not for {self.mode}; leave it out")
        return self
