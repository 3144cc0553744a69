#!/bin/sh
# merge_config.sh -m [-O DIR] BASE FRAGMENT...: later files win.
out=.
while getopts "mO:" option; do
	case $option in
	O) out=$OPTARG ;;
	*) ;;
	esac
done
shift $((OPTIND - 1))
cat "$@" >"$out/.config.merged" && mv "$out/.config.merged" "$out/.config"
