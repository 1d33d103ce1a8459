/** What the tests of a run could not show because a part from outside was missing: a list for its end. */
import { existsSync, readFileSync } from 'node:fs';

const parts = JSON.parse(readFileSync(new URL('../test/services/outside-parts.json', import.meta.url), 'utf8'));

/** The variables that `.ci/run` sets. A part that no registry brings is required only where somebody asks for it. */
export const requirements = parts.filter(({ onlyWhereAsked }) => !onlyWhereAsked).map(({ requiredBy }) => requiredBy);

/**
 * The lines of the list, each part once with its reasons and the specs that need it; none when nothing was missing.
 * @param notes the file of notes, with one entry of JSON on each line
 */
export function notRun(notes) {
  const text = existsSync(notes) ? readFileSync(notes, 'utf8') : '';
  const found = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const lines = parts.flatMap(({ part, what, requiredBy, needs }) => {
    const of = found.filter((note) => note.part === part);
    if (of.length === 0) return [];
    const reasons = [...new Set(of.map(({ why }) => why.trim().split('\n')[0]))];
    const specs = [...new Set(of.map(({ spec }) => spec))].sort();
    return [
      `  what needs ${what} (${needs}; ${requiredBy}=1 makes its absence a failure):`,
      ...reasons.map((why) => `    because ${why}`),
      ...specs.map((spec) => `    in ${spec}`),
    ];
  });
  return lines.length === 0 ? [] : ['Not run:', ...lines];
}

// `node scripts/not-run.mjs` prints the variables, for `.ci/run`.
if (process.argv[1] === new URL(import.meta.url).pathname) process.stdout.write(`${requirements.join('\n')}\n`);
