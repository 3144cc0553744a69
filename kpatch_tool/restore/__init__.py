"""Gives a damaged diff its bytes back. Pure: texts in, texts and reasons out.

Two ways, both judged by the git blob ids of the `index` lines. `basefile` is the file the patch is made for, by lines,
in both, and `header` reads the lines before the first hunk.

- `styled`: white space was squeezed. `damaged` reads the diff, `align` finds its hunks in the base (`blanks`: where
  blank lines were dropped). The room `style` says how a line is likely to be indented and spaced; the room `readings`
  makes readings of the whole file of that, and tries them. What is known from outside the file takes part:
  `elsewhere` (the people of the mail, the patch's other files), `versions` (the file in other kernels), `spelled` and
  `made_up` (addresses that an archive hid).
- `repair`: a mail program did something else. `shape` undoes what was done to all lines alike; the room `loosely`
  reads the diff line by line, says what each line was, and writes the file. `by_style` hands on to `styled` what only
  style can tell. `blind` is for diffs that are read without a base.

For both: `lettered` and `letters` put back letters that a program could not show, `binaries` reads binary changes,
`addresses` and `hidden` know the addresses an archive may have hidden, `likeness` says what is left of a line when
everything that mail programs change is taken out, `choosing` tries combinations, the cheapest first.
"""
