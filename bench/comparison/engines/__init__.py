"""The same experiments against two engines behind the same gateway: the shipped one and vLLM."""
