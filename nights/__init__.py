"""Nights: sessions that are kept, so that the next one knows what changed.

A night is a session's runs and its record (:mod:`nights.record`, pure data). :mod:`nights.shelf` keeps nights in a folder or a bucket
(:mod:`nights.store`); the runs are the truth, the index (:mod:`nights.index`) is made anew from them whenever it does not fit.
:mod:`nights.comparable` says which nights may be compared, :mod:`nights.spread` what is told from noise, :mod:`nights.changes` what
changed. Rendering is :mod:`reports`'.
"""
