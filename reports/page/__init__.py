"""What people and CI read, each a function of :class:`reports.model.Report` alone: HTML with its plots, Markdown, JUnit."""
