"""Kinds of training jobs: what a run reads as its template, and what it makes of it. A further kind is one module here."""
