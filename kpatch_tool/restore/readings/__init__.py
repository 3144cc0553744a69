"""The readings of a whole file, likeliest first, and the search for the one with the blob id.

`rows` is what is known before (`resembling`: the removed line that an added one is like), `reading` reads line by line
(`limited`: within what the received text still tells), `paths` follows a reading that differs in a line down the file.
`effects` lists the deviations from the likeliest reading by their cost: single ones, those that one habit explains
(`together`), those that no rule gives (`odd`, `unruled`). `search` tries them, `altered` says which rows come out
otherwise, and `judge` compares blob ids.
"""
