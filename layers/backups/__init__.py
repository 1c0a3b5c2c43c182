"""Everything that a store knows in one file, and a store out of such a file.

`archive` is the file: its parts, their checksums, its manifest. `rows` turns rows of any table into lines of
text and back. `saving` writes a backup of one moment, `restoring` replaces all that a store holds, all or
nothing.

Rows, not the store's own pages or dumps: a backup of SQLite can be restored into PostgreSQL and the other way
round, a backup of an earlier schema can be brought up, and no tool of the database is needed on the machine.
Which tables are kept follows from the models: all, but for those that say NOT_KEPT themselves.
"""
