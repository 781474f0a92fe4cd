"""From a kubeconfig, read as kubectl reads it, to requests that are bounded in time."""
