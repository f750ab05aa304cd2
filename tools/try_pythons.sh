#!/usr/bin/env bash
# Sets up and runs all samples, to token shards and the report, under every other Python, of those that are supported, that this machine has.
set -euo pipefail
cd "$(dirname "$0")/.."

interpreter() {  # the interpreter of a version: on PATH, or pyenv's
  if "python$1" -c '' 2> /dev/null; then command -v "python$1"; return; fi
  command -v pyenv > /dev/null && ls "$(pyenv root)/versions"/"$1".*/bin/python 2> /dev/null | tail -1
}

own=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in ${VERSIONS:-3.10 3.11 3.12 3.13 3.14}; do
  python=$(interpreter "$version" || true)
  [ "$version" != "$own" ] && [ -n "$python" ] || { echo "Python $version: not tried ($([ "$version" = "$own" ] && echo "the tests run under it" || echo "not on this machine"))"; continue; }
  if ! make --no-print-directory report PYTHON="$python" VENV="$work/$version" CORPUS="$work/corpus-$version" \
      SHARDS="$work/shards-$version" MODEL="$work/model-$version" REPORT="$work/report-$version" > "$work/log" 2>&1; then
    cat "$work/log"; echo "Python $version: FAILED"; exit 1
  fi
  (cd "$work" && find "corpus-$version" "shards-$version" -name '*.parquet' -o -name 'data-*.arrow' | sort | xargs sha256sum | sed "s/-$version//") > "$work/sums-$version"
  cmp "$work/sums-$version" "${first:=$work/sums-$version}"
  echo "Python $version: $(grep 'all accounts add up' "$work/log" | tail -1 | sed "s|$work/||")"
  rm -rf "${work:?}/$version"
done
echo "all wrote the same Parquet files and shards"
