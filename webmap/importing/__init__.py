"""The import doctor in a browser: a file is sent in or fetched, read column by column, examined, written.

Each step is a page of its own, whole without scripts. Nothing is written before the last one, and that one
writes the plan that was shown or nothing. What takes longer than a moment is done in the background
(`underway`), and a page tells how far it is.
"""

from webmap.importing import columns, entry, findings, frame, preview, progress, writing

__all__ = ("bp", "columns", "entry", "findings", "preview", "progress", "writing")
bp = frame.bp
