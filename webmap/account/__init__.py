"""The pages of those who have an account: the way in, one's own page, and the accounts of all.

None of them is kept by anybody, and no page outside of this package (and of what demands a role) tells
whether somebody is signed in.
"""

from webmap.account import entry, frame, manage, own

__all__ = ("bp", "entry", "manage", "own")
bp = frame.bp
