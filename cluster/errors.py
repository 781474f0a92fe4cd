"""What can go wrong, as sentences for the person who typed the command."""


class ClusterError(Exception):
    """A lack or a refusal in one sentence: what, where, observed, expected, next step. The command ends with exit code 2."""
