/**
 * `npm run test:fuzz`: tries bytes of strangers that nobody thought of, for so many seconds of the processor for each form, from a seed that
 * it prints. It ends with a table of the figures, and a line that counts the forms. `--seconds 600 --seed 1` sets both.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param seconds of the processor, for each form
 * @returns the figures of each form that held, and how many tests there were
 */
export function fuzz({ seconds, seed, workers = availableParallelism() }) {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-fuzz-'));
  const [figures, results] = [join(folder, 'figures.jsonl'), join(folder, 'results.json')];
  try {
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const asked = ['--selectProjects', 'unit', '--testPathPatterns', 'fuzz-strangers', `--maxWorkers=${workers}`];
    const { status } = spawnSync(process.execPath, [jest, ...asked, '--json', `--outputFile=${results}`], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        STRONGROOM_FUZZ_STRANGERS_SECONDS: String(seconds),
        STRONGROOM_FUZZ_STRANGERS_SEED: String(seed),
        STRONGROOM_FUZZ_FIGURES: figures,
      },
    });
    const lines = existsSync(figures) ? readFileSync(figures, 'utf8').split('\n').filter(Boolean) : [];
    const { numPassedTests = 0, numFailedTests = 1 } = existsSync(results)
      ? JSON.parse(readFileSync(results, 'utf8'))
      : {};
    return { forms: lines.map((line) => JSON.parse(line)), passed: numPassedTests, failed: numFailedTests, status };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As Markdown. */
export function tableOf(forms) {
  const rows = [...forms].sort((one, other) => one.form.localeCompare(other.form));
  return `| form | corpus | inputs | refused | ways of refusing | computed, s |
| --- | --- | --- | --- | --- | --- |
${rows
  .map(({ form, corpus, tried, refused, ways, ms }) => [form, corpus, tried, refused, ways, Math.round(ms / 1_000)])
  .map((row) => `| ${row.join(' | ')} |\n`)
  .join('')}`;
}

/** The part of docs/hostile-servers.md that has the figures. */
export function fuzzedPart(forms, seed) {
  const total = (of) => forms.reduce((sum, form) => sum + of(form), 0);
  const seconds = Math.round(total(({ ms }) => ms) / 1_000);
  return `## Bytes that nobody thought of: ${total(({ tried }) => tried)} inputs

\`npm run test:fuzz\` makes them, from those of the corpus and from its own of before. Each was read, or refused by a fault. A way of refusing is what a
fault says, without its numbers and names. CI tries new ones beside the other tests, from a seed that it prints, and each night for hours. These were
tried from the seed ${seed}, in ${seconds} s of the processor.

${tableOf(forms)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Math.floor(Date.now() / 1_000));
  console.log(`The first seed is ${seed}: \`npm run test:fuzz -- --seed ${seed}\` makes the same inputs again.\n`);
  const { forms, passed, failed, status } = fuzz({ seconds: Number(values.seconds ?? 15), seed });
  console.log(tableOf(forms));
  const computed = Math.round(forms.reduce((sum, { ms }) => sum + ms, 0) / 1_000);
  const inputs = forms.reduce((sum, { tried }) => sum + tried, 0);
  console.log(`${inputs} inputs in ${computed} s of the processor.`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = status === 0 && failed === 0 ? 0 : 1;
}
