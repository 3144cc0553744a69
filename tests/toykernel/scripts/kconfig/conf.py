"""The toy's Kconfig: options whose dependency is off, and options nobody knows, are dropped without a word."""

import argparse
import re
from pathlib import Path

ENTRY = re.compile(r"^config (\w+)\n\t(bool|tristate)\n(?:\tdepends on (\w+)\n)?", re.MULTILINE)
LINE = re.compile(r"^CONFIG_(\w+)=(.+)$")


def read(path: Path) -> dict[str, str]:
    found = (LINE.match(line) for line in path.read_text().splitlines())
    return {match[1]: match[2] for match in found if match}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--all", type=Path)
    parser.add_argument("config", type=Path)
    options = parser.parse_args()
    wanted = {} if options.new or not options.config.exists() else read(options.config)
    if options.all:
        wanted |= read(options.all)
    lines = ["# Automatically generated file; DO NOT EDIT."]
    have: dict[str, str] = {}
    for name, kind, needs in ENTRY.findall((options.source / "Kconfig").read_text()):
        value = wanted.get(name, "n")
        if needs and needs not in have:
            value = "n"
        if value == "m" and (kind == "bool" or "MODULES" not in have):
            value = "y"
        if value == "n":
            lines.append(f"# CONFIG_{name} is not set")
        else:
            have[name] = value
            lines.append(f"CONFIG_{name}={value}")
    options.config.write_text("\n".join(lines) + "\n")


main()
