#!/bin/sh
# Lints the texts: every Markdown file of the repository, and the text of every notebook. Headings, pictures without a text
# in their place and dead links within the repository by markdownlint, English spelling by CSpell. Needs Node 20 or later.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$root"/notebooks/lint/package.json "$root"/notebooks/lint/package-lock.json "$work"
npm ci --silent --prefix "$work"

# The linters work on a copy, in which every notebook has its text beside it as a Markdown file, where its links hold.
mkdir "$work/copy"
cd "$root"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/copy"
cd "$work/copy"
node --input-type=module - $(find notebooks -name '*.ipynb') <<'JS'
import { readFileSync, writeFileSync } from 'node:fs';
for (const path of process.argv.slice(2)) {
  const text = JSON.parse(readFileSync(path, 'utf8')).cells.filter(c => c.cell_type === 'markdown').map(c => [c.source].flat().join(''));
  writeFileSync(path + '.md', text.join('\n\n') + '\n');
}
JS
ln -s "$work/node_modules" node_modules
node_modules/.bin/markdownlint-cli2 --config notebooks/lint/.markdownlint-cli2.jsonc '**/*.md' '#node_modules'
node_modules/.bin/cspell lint --no-progress --config notebooks/lint/cspell.json '**/*.md'
