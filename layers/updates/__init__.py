"""Official data over the network: fetched, checked, shaped into rows, planned and, when asked, written.

Which sources there are, and everything that is particular about them, stands in the instance's
`updates.yaml`; no code here knows a fact of any country. A source that fails a check loads nothing, says why,
and leaves the others alone.
"""
