"""vLLM as the platform's second engine: its model, made at deploy time, and what stands between vLLM and the gateway."""
