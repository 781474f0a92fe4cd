"""Pages as their readers meet them: strict HTML, a viewer that forbids styles, the commands that a page tells to type."""
