"""A torch model server in two processes, split as vLLM v1 is: an API without torch and an engine that owns the model."""
