#!/usr/bin/env bash
# Under every other Python, of those that are supported, that this machine has: installs the source archive into an empty
# environment, and runs all samples with it, to token shards and the report, in a folder that has nothing of the project.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

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
  mkdir "$work/run-$version"
  if ! {
    "$python" -m venv "$work/$version" && "$work/$version/bin/pip" install --quiet build &&
    "$work/$version/bin/python" -m build --sdist --outdir "$work/run-$version" . > /dev/null &&
    "$work/$version/bin/pip" install --quiet --no-compile --constraint constraints.txt \
      "$(ls "$work/run-$version"/*.tar.gz)[corpus,report]" && cd "$work/run-$version" && ln -s "$root/samples" &&
    make --no-print-directory --file "$root/Makefile" report BIN="$work/$version/bin" SETUP= WORK=work &&
    "$work/$version/bin/python" -c 'import pipeline, sys; assert pipeline.__file__.startswith(sys.prefix), pipeline.__file__'
  } > "$work/log" 2>&1; then
    cat "$work/log"; echo "Python $version: FAILED"; exit 1
  fi
  (cd "$work/run-$version" && find work/corpus work/shards -name '*.parquet' -o -name 'data-*.arrow' | sort | xargs sha256sum) > "$work/sums-$version"
  cmp "$work/sums-$version" "${first:=$work/sums-$version}"
  echo "Python $version: $(grep 'all accounts add up' "$work/run-$version/work/_build/logs/verify.log" | tail -1)"
  cd "$root"
  rm -rf "${work:?}/$version"
done
echo "all wrote the same Parquet files and shards"
