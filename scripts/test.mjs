/**
 * `npm test`: installs and builds what is missing, runs every suite on real services, and ends with a list of what could not
 * run and why, a list of what failed, and one line that counts all tests. `npm test -- integration` runs one suite. `--node oldest` and
 * `--node newest` run it on a tested Node instead of this one. `--what-differs` leaves out the integration tests that are the same on
 * every Node. `--second-try` runs the spec files that failed once more: docs/decisions/0215-a-second-try-is-told.md.
 * A file of tests that does not end is named, and the run is ended: docs/decisions/0246-a-file-of-tests-that-does-not-end.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { availableParallelism, freemem, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { slowness } from '../test/services/slowness.mjs';
import { nodeOf, testedNodes } from './node-versions.mjs';
import { notRun } from './not-run.mjs';
import { setUp } from './set-up.mjs';
import { countsOf, failuresOf, leftOpenIn, passedOnlyThen, triedAgain, withSecondTry } from './test-reports.mjs';
import { watchedJest } from './watched-jest.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/**
 * How many more spec files run at a time than there are cores. Tests on real services wait for much: those of e2e for the
 * next minute, in which a slot is due. But they start many processes, which compute. All suites run at once, so that
 * some tests compute while others wait.
 */
const beyondCores = { unit: 0, integration: 4, e2e: 4 };
const suites = Object.keys(beyondCores);
/**
 * A file system in memory, for the thousands of files that each new PostgreSQL makes and removes; a disk searches long for
 * places that were not free a moment ago. It is used by itself where as much memory is free as the tests may ever need.
 */
const memory = '/dev/shm';
const memoryNeeded = 12 * 1_024 ** 3;
/** For how long Jest may say nothing of any file, on an idle machine. */
const quietMs = 120_000;

const { values, positionals: asked } = parseArgs({
  options: { node: { type: 'string' }, 'what-differs': { type: 'boolean' }, 'second-try': { type: 'boolean' } },
  allowPositionals: true,
});
const unknown = asked.filter((name) => !suites.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no suite ${unknown.join(', ')}; there are ${suites.join(', ')}.\n`);
  process.exit(2);
}
if (values.node !== undefined && !Object.hasOwn(testedNodes, values.node)) {
  process.stderr.write(`--node takes ${Object.keys(testedNodes).join(' or ')}, not ${values.node}.\n`);
  process.exit(2);
}

await setUp();
const { descendantsOf } = await import('../dist/libs/server-processes/src/index.js');
const node = values.node === undefined ? process.execPath : nodeOf(testedNodes[values.node]);
const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
process.stdout.write(`Tests run on Node ${version}.\n`);
const patience = slowness();
process.stdout.write(`${patienceOf([patience])}\n`);
const temporary = temporaryFolder();
// What Jest has transformed stays where it looks for it by itself, and not in memory.
const cache = join(tmpdir(), `jest_${process.getuid?.().toString(36) ?? ''}`);
// The apps are started hundreds of times: a newer Node compiles their modules once.
const compiled = join(cache, 'compiled');
process.stdout.write(`Their files are in ${temporary}.\n`);
const folder = mkdtempSync(join(tmpdir(), 'strongroom-test-'));
const contractNotes = join(folder, 'contract.jsonl');
const notRunNotes = join(folder, 'not-run.jsonl');
const patienceNotes = join(folder, 'patience');
const leftOpenNotes = join(folder, 'left-open.jsonl');
for (const notes of [contractNotes, notRunNotes, patienceNotes, leftOpenNotes]) writeFileSync(notes, '');
const sameOnEveryNode = JSON.parse(readFileSync(join(root, 'test', 'services', 'same-on-every-node.json'), 'utf8'));
const leftOut = values['what-differs'] ? sameOnEveryNode.flatMap(({ specs }) => specs) : [];
const chosen = asked.length > 0 ? suites.filter((suite) => asked.includes(suite)) : suites;
const results = join(folder, 'results.json');
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const onlyAtSecondTry = [];
/** What did not end, and was ended. */
const unended = [];
let clean = false;
try {
  const { status, report } = await runSuites();
  clean = status === 0;
  Object.assign(total, countsOf(report));
  failures.push(...failuresOf(report));
} catch {
  // A set-up failed, or Jest was ended, before it could count.
  if (unended.length === 0) {
    total.failed += 1;
    failures.push('  Jest ended before it could count; its output above says why');
  }
}
total.failed += unended.length;
failures.push(...unended.map((what) => `  ${what}: the run was ended`));
const missing = notRun(notRunNotes);
const leftOpen = leftOpenIn(readFileSync(leftOpenNotes, 'utf8'));
// The table needs what the tests of all suites have seen.
const isWhole = !values['what-differs'] && chosen.length === suites.length;
if (clean && isWhole) {
  const table = [
    join(root, 'scripts', 'run-typescript.cjs'),
    join(root, 'scripts', 'contract-table.ts'),
    contractNotes,
    results,
    ...(missing.length > 0 ? ['--partly'] : []),
  ];
  if (spawnSync(process.execPath, table, { cwd: root, stdio: 'inherit' }).status !== 0) total.failed += 1;
}
const factors = readFileSync(patienceNotes, 'utf8').split('\n').filter(Boolean).map(Number);
if (factors.length > 0) process.stdout.write(`\n${patienceOf(factors)}\n`);
rmSync(folder, { recursive: true, force: true });
if (missing.length > 0) process.stdout.write(`\n${missing.join('\n')}\n`);
if (leftOpen.length > 0)
  process.stdout.write(
    `\nLeft open at their end (a defect of the test or of the product, to be mended):\n${leftOpen.join('\n')}\n`,
  );
if (onlyAtSecondTry.length > 0)
  process.stdout.write(
    `\nPassed only at the second try (a defect of the test or of the product, to be mended):\n${onlyAtSecondTry.join('\n')}\n`,
  );
if (failures.length > 0) process.stdout.write(`\nFailed (the output above says how):\n${failures.join('\n')}\n`);

/** Runs the suites, and what failed a second time where that was asked for. @returns the report of both, which is in `results` too */
async function runSuites() {
  const maxWorkers = availableParallelism() + Math.max(...chosen.map((suite) => beyondCores[suite]));
  const skipped = leftOut.map((path) => `--testPathIgnorePatterns=/${path.replaceAll('.', '\\.')}$`);
  const first = await runJest([...skipped, `--maxWorkers=${maxWorkers}`]);
  const again = values['second-try'] ? triedAgain(first.report) : [];
  if (again.length === 0) return first;
  process.stdout.write(
    `\nWhat failed is tried a second time, one file at a time:\n${failuresOf(first.report).join('\n')}\n\n`,
  );
  const second = await runJest(['--runInBand', '--runTestsByPath', ...again]);
  const report = withSecondTry(first.report, second.report);
  writeFileSync(results, JSON.stringify(report));
  onlyAtSecondTry.push(...passedOnlyThen(first.report, report));
  return { status: second.status, report };
}

/** @returns Jest's report, and 0 when Jest saw no fault. @throws when Jest ended, or was ended, before it wrote a report */
async function runJest(options) {
  rmSync(results, { force: true });
  const underWay = mkdtempSync(join(folder, 'under-way-'));
  const jest = [
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    ...['--selectProjects', ...chosen],
    '--json',
    `--outputFile=${results}`,
    `--cacheDirectory=${cache}`,
    ...options,
  ];
  const { status, unended: what } = await watchedJest([node, ...jest], {
    underWay,
    graceMs: quietMs * patience,
    descendantsOf,
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      // The programs that tests start by name run on the same Node.
      PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
      TMPDIR: temporary,
      NODE_COMPILE_CACHE: compiled,
      STRONGROOM_CONTRACT_NOTES: contractNotes,
      STRONGROOM_NOT_RUN: notRunNotes,
      STRONGROOM_PATIENCE_NOTES: patienceNotes,
      STRONGROOM_LEFT_OPEN: leftOpenNotes,
      STRONGROOM_UNDER_WAY: underWay,
    },
  });
  if (what !== undefined) unended.push(what);
  return { status: what === undefined ? status : 1, report: JSON.parse(readFileSync(results, 'utf8')) };
}

/** Where the tests make their files: where `TMPDIR` says, else in memory when there is enough of it, else on the disk. */
function temporaryFolder() {
  if (process.env.TMPDIR) return process.env.TMPDIR;
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (Math.min(bavail * bsize, freemem()) > memoryNeeded) return memory;
  } catch {
    // Only Linux has it.
  }
  return tmpdir();
}

/** How slow the machine was, and what that means. */
function patienceOf(factors) {
  const most = Math.max(...factors).toFixed(1);
  const span = factors.length > 1 ? `${Math.min(...factors).toFixed(1)} to ${most}` : most;
  return `This machine takes ${span} times as long as an idle one; every time limit of the tests is multiplied by that.`;
}

if (total.passed === 0) total.failed += 1;
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exitCode = clean && total.failed === 0 ? 0 : 1;
