"""How one added line is likely to be indented and spaced, from the text above it. Knows nothing of patches.

Indentation: `indent` for C, by the structure that `cstate` follows (`structure`: of a whole file); `outline` for all
other text, with `yaml_text`, `shell_text`, `python_text` and `braces` (code quoted in other text). Inside the line:
`gaps`, with `alongside` (the line it replaces), `repeated` (those above), `word_pairs`, `notes` (after a comment's
star), `grids` and `simple_tables` (reStructuredText), `licences` (texts that are copied as they are). `weights` says
how sure each of them is.
"""
