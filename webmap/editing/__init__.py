"""Editing in the browser: stewards correct what is told, partners propose, everything is undone.

What may be edited are organisations, areas and cases (whose form `webmap.casework` knows). All of it stands
under /edit, and public pages know nothing of who asks: a link that only some may see would make every public
page private. Whoever edits begins with the list here, or writes /edit before the address of what is to be
edited; the page of a case leads everybody to its form, which asks who one is. The footer of every page leads
to one's own page, and that one here.

Nothing is written at the first click: the page shows field by field what would change, and what was done
to it; the second click writes.
"""

from webmap.editing import deciding, frame, shapes, start, things, undoing

__all__ = ("bp", "deciding", "shapes", "start", "things", "undoing")
bp = frame.bp
