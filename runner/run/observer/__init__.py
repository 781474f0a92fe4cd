"""What looks at the platform while a run goes on: watches and samples, each in a thread."""
