"""The planner's pages: who is not covered, where areas do not meet, what if, where next.

Each room has one page with its table, its map and its files to take along; `frame` is what they share.
"""

from webmap.planning import bridges, chart, cover, frame, missing, report, seams, siting, whatif

__all__ = ("bp", "bridges", "chart", "cover", "missing", "report", "seams", "siting", "whatif")
bp = frame.bp
