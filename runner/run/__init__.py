"""One run, from the child process that carries it to the verdict."""
