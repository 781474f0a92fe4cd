"""What a session tells others when it has ended: GitHub, a webhook, Grafana. All of it is off by default.

Each part is a function of the report. Nothing here changes a verdict or an exit code: what cannot be told is a sentence on the terminal.
"""
