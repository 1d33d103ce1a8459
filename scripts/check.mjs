/**
 * `npm run check`: runs format, lint, types, arrows, schema and unit tests, two at a time. It says what failed and how
 * long each took. `--no-tests` leaves the unit tests out.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** The longest comes first. It would run alone if it came last. */
const steps = [
  {
    name: 'unit tests',
    args: [
      bin('jest/bin/jest.js'),
      '--selectProjects',
      'unit',
      '--silent',
      '--reporters=summary',
      '--reporters=default',
    ],
  },
  { name: 'types', args: [bin('typescript/bin/tsc'), '-p', 'tsconfig.check.json'] },
  { name: "console's types", args: [bin('typescript/bin/tsc'), '-p', 'apps/console'] },
  {
    name: 'arrows',
    args: [
      bin('dependency-cruiser/bin/dependency-cruise.mjs'),
      '--config',
      '.dependency-cruiser.cjs',
      'apps',
      'libs',
      'test',
      'bench',
    ],
  },
  {
    name: 'format, lint',
    args: [bin('@biomejs/biome/bin/biome'), 'ci', '.', '--colors=off', '--diagnostic-level=warn'],
  },
  { name: 'schema', args: ['scripts/run-typescript.cjs', 'scripts/schema.ts', '--check'] },
];
const atOnce = 2;

async function run({ name, args }) {
  const begun = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise((resolve) =>
    child.on('close', resolve).on('error', (error) => resolve(error.message)),
  );
  const result = { name, passed: code === 0, seconds: ((performance.now() - begun) / 1_000).toFixed(1), output };
  console.log(row(result));
  return result;
}

function row({ name, passed, seconds }) {
  return `  ${name.padEnd(17)}${(passed ? 'passed' : 'FAILED').padEnd(8)}${seconds.padStart(6)} s`;
}

const begun = performance.now();
const asked = process.argv.includes('--no-tests') ? steps.filter(({ name }) => name !== 'unit tests') : steps;
const waiting = [...asked];
const results = [];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) results.push(await run(step));
  }),
);

const failed = results.filter(({ passed }) => !passed);
for (const { name, output } of failed) console.log(`\n${name}:\n${output.trimEnd()}`);
const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
if (failed.length === 0) console.log(`\nAll passed in ${seconds} s.`);
else {
  console.log(`\nIn ${seconds} s:`);
  for (const result of results) console.log(row(result));
  process.exitCode = 1;
}
