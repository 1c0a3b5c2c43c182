"""Who is not covered, by whom, how sure that is, and where the next unit helps most.

`demand` is where people are, `supply` who could help, `travel` how long the way takes, `standards` what
counts as enough; the other rooms ask questions of these four and hold no fact of any country.
"""
