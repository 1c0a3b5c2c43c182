"""A file → checked rows, or reasons with row numbers. Nothing is guessed and nothing is dropped in silence.

`tables` reads CSV, `areas` polygons, `texts` Markdown with front matter; `instance` reads all of them and
checks the links between them. `roads` reads road networks, for those who have one.
"""
