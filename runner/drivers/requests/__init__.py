"""Requests of users: the load process, load workers as pods, and the progress that users see."""
