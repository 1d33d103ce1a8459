/**
 * `npm test`: installs and builds what is missing, runs every suite on real services, and ends with one line that counts
 * all tests. `npm test -- integration` runs one suite. With `--other-node` the tests run on the other tested Node.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchNode, otherNode } from './node-versions.mjs';
import { setUp } from './set-up.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const suites = ['unit', 'integration', 'e2e'];
/** Tests on real services wait more than they compute. */
const workersOf = (suite) => availableParallelism() + (suite === 'unit' ? 0 : 1);

const words = process.argv.slice(2);
const onOther = words.includes('--other-node');
const asked = words.filter((word) => word !== '--other-node');
const unknown = asked.filter((name) => !suites.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no suite ${unknown.join(', ')}; there are ${suites.join(', ')}.\n`);
  process.exit(2);
}

await setUp();
const node = onOther ? fetchNode(otherNode()) : process.execPath;
const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
process.stdout.write(`On Node ${version}\n`);
const folder = mkdtempSync(join(tmpdir(), 'strongroom-test-'));
const contractNotes = join(folder, 'contract.jsonl');
writeFileSync(contractNotes, '');
const total = { passed: 0, failed: 0, skipped: 0 };
let clean = true;
for (const suite of asked.length > 0 ? asked : suites) {
  const results = join(folder, `${suite}.json`);
  const jest = [
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--selectProjects',
    suite,
    '--json',
    `--outputFile=${results}`,
  ];
  const { status } = spawnSync(node, [...jest, `--maxWorkers=${workersOf(suite)}`], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      // The programs that tests start by name run on the same Node.
      PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
      STRONGROOM_CONTRACT_NOTES: contractNotes,
    },
  });
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(results, 'utf8'),
    );
    total.passed += numPassedTests;
    total.failed += numFailedTests + numRuntimeErrorTestSuites;
    total.skipped += numPendingTests + numTodoTests;
  } catch {
    // Jest ended before it could count: a set-up failed.
    total.failed += 1;
  }
  clean &&= status === 0;
}
// The contract is shown by all suites together.
if (clean && !onOther && suites.every((suite) => asked.length === 0 || asked.includes(suite))) {
  const table = [
    join(root, 'scripts', 'run-typescript.cjs'),
    join(root, 'scripts', 'contract-table.ts'),
    contractNotes,
    ...suites.map((suite) => join(folder, `${suite}.json`)),
  ];
  if (spawnSync(process.execPath, table, { cwd: root, stdio: 'inherit' }).status !== 0) total.failed += 1;
}
rmSync(folder, { recursive: true, force: true });

if (total.passed === 0) total.failed += 1;
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exitCode = clean && total.failed === 0 ? 0 : 1;
