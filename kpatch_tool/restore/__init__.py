"""Gives a damaged diff its bytes back. Pure: texts in, texts and reasons out.

Two ways, both judged by the git blob ids of the `index` lines:

- white space was squeezed: `damaged` reads the diff, `align` finds its hunks in the base (`blanks`: where blank lines
  were dropped), `reading` reads the added lines by the style of the code (`cstate`, `indent`, `outline`, `yaml_text`,
  `shell_text`, `python_text`, `braces`, `gaps`, `repeated`, `word_pairs`, `grids`, `simple_tables`, `rows`, `notes`,
  `licences`; `weights`: how sure each of them is; `elsewhere`: by the patch's other files; `versions`: by the file in
  other kernels), `effects` lists what they may have been else (`paths`: each followed down the file; `together`: what
  one habit explains in many lines; `odd`, `unruled`: what no rule gives; `spelled`, `made_up`: other addresses where
  an archive hid one; `altered`: the rows that come out otherwise), `search` tries the readings and `judge` compares
  blob ids; `styled` is the way as a whole;
- a mail program did something else: `shape` undoes what was done to all lines alike, `loose` reads the diff line by
  line, `fitting` (`fit_search`, `fits`) says what every line is, `plans` puts the hunks together, `undoing` (`tabs`,
  `addresses`, `likeness`, `choosing`) says what an added line was, `written` gives the file; `repair` is the way as
  a whole, `telling` says what it did, and `by_style` hands on to `styled` what only style can tell (`limited`).
  `blind` is for diffs that are read without a base.

`basefile` is the file the patch is made for, by lines, in both ways.
"""
