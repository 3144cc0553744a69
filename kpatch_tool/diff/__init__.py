"""One diff: parse, restore damaged white space, commute, apply to text. Pure: no files, no git, no printing."""
