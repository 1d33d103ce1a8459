/**
 * What a measurement found: its own file `results/NAME.json`, and a table of it in RESULTS.md, which is made of all those files. A figure
 * counts only when the invariants held in the same run, so each report says which were looked at and whether they held.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './load.mjs';
import { root } from './stack.mjs';

const folder = join(root, 'bench', 'results');
const page = join(root, 'bench', 'RESULTS.md');

/** The middle of a ratio's rounds, and how far they lie apart. */
export function ratio(rounds) {
  return { median: median(rounds), least: Math.min(...rounds), most: Math.max(...rounds) };
}

/**
 * Writes the report, and RESULTS.md anew. Ends the process with 1 when an invariant did not hold.
 * @param name of the script that made it
 * @param title its heading in RESULTS.md
 * @param run the options of a run that is not the usual one. It has a file and a part of its own, beside those of the usual run
 * @param rows one for each figure: `what` was measured; `aim` as text; `ours` and `beside` as text with units; `ratio` as above, or
 *   nothing where the figure stands alone; `isReached`, or nothing where there is no aim
 * @param invariants what must be true after the run: `{ what, held }`
 * @param isQuiet whether nothing else ran on the machine during every round
 * @param notes whole sentences: settings, what bounds a missed aim, what would have to change
 * @param raw all rounds, for whoever computes anew
 */
export function report(name, { title, run = '', rows, invariants, isQuiet, notes = [], raw }) {
  const machine = {
    node: process.version,
    processor: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
  mkdirSync(folder, { recursive: true });
  const found = { title, run, machine, isQuiet, rows, invariants, notes, raw };
  const file = [name, suffixOf(run)].filter(Boolean).join('-');
  writeFileSync(join(folder, `${file}.json`), `${JSON.stringify(found, rounded, 2)}\n`);
  for (const { what, held } of invariants) process.stdout.write(`${held ? 'held' : 'BROKEN'}: ${what}\n`);
  for (const row of rows) process.stdout.write(`${lineOf(row)}\n`);
  writePage();
  if (!invariants.every(({ held }) => held)) process.exitCode = 1;
}

/** The options of a run as a part of the name of its file. */
const suffixOf = (run) =>
  run
    .split(/[\s-]+/)
    .filter(Boolean)
    .join('-');

/** Makes RESULTS.md anew of the files of all reports. */
export function writePage() {
  writeFileSync(page, pageOf());
}

function pageOf() {
  const all = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file: file.slice(0, -'.json'.length), ...JSON.parse(readFileSync(join(folder, file), 'utf8')) }))
    .filter(({ rows }) => rows !== undefined);
  return [
    '# Results',
    '',
    'Each script of this folder writes its part of this page. A ratio is the middle of its rounds, with the least and the most; compare',
    'ratios, for figures of two machines say nothing. README.md says how each is measured.',
    '',
    ...all.flatMap((each) => [...sectionOf(each), '']),
  ].join('\n');
}

function sectionOf({ file, title, run = '', machine, isQuiet, rows, invariants, notes }) {
  const script = run === '' ? `${file}.mjs` : `${file.slice(0, -suffixOf(run).length - 1)}.mjs ${run}`;
  return [
    `## ${title}`,
    '',
    `\`${script}\`, ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Node ${machine.node}.`,
    ...(isQuiet ? [] : ['**The machine was not quiet: take these figures for a hint.**']),
    '',
    '| what | aim | Strongroom | beside it | ratio | reached |',
    '|---|---|---|---|---|---|',
    ...rows.map(lineOf),
    '',
    ...invariants.map(({ what, held }) => `- ${held ? 'Held' : '**Broken**'}: ${what}`),
    ...notes.map((note) => `- ${note}`),
  ];
}

function lineOf({ what, aim = '', ours, beside = '', ratio: of, isReached }) {
  const said = of === undefined ? '' : `${short(of.median)} (${short(of.least)}–${short(of.most)})`;
  const reached = isReached === undefined ? '' : isReached ? 'yes' : 'no';
  return `| ${what} | ${aim} | ${ours} | ${beside} | ${said} | ${reached} |`;
}

const short = (value) => Number(value.toPrecision(3)).toString();
const rounded = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
