"""Pages and files as their readers meet them: strict HTML, a viewer that forbids styles, schemas of JUnit, servers that are told."""
