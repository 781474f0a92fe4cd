"""``python -m runner doctor``: what stands for and against the chosen experiments, all of it at once; nothing is changed."""
