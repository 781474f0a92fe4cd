"""Each fault alone, without load: it acts, is proven by its own evidence, ends, and leaves nothing: ``python -m bench.campaigns.alone``."""
