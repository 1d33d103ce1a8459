/**
 * Writes docs/contract.md. It lists every operation of the API and every way in which it ends, each with a test that
 * has seen it. It also lists every rule of the contract with the tests that show it. It fails when no test has seen an
 * ending, and when a test that shows a rule is missing or did not pass. `contract-table.ts NOTES REPORT…` takes the
 * answers that the tests have noted, and Jest's reports of all suites.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FaultType, faultCodes, faultsOf, type Operation, operations } from '@strongroom/contracts';
import { z } from 'zod';
import { contractRules } from '../test/contract-rules.js';
import { matching, testsIn } from './contract-tests.js';

const note = z.object({
  method: z.string(),
  path: z.string(),
  status: z.int(),
  fault: z.string().nullable(),
  test: z.string(),
  spec: z.string(),
});
type Note = z.infer<typeof note>;

/** The outcome of the random requests. */
const fuzz = z.object({ fuzz: z.object({ requests: z.int(), of5xx: z.int(), leaks: z.int() }) });

const root = join(__dirname, '..');
const file = join(root, 'docs', 'contract.md');

const noted: unknown[] = readFileSync(process.argv[3] ?? '', 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const notes = noted.flatMap((each) => note.safeParse(each).data ?? []);
const figures = noted.flatMap((each) => fuzz.safeParse(each).data?.fuzz ?? [])[0];

const endingOf = ({ method, path, status, fault }: Note) => `${method} ${path} ${status} ${fault}`;
const nameOf = ({ spec, test }: Note) => `${spec} ${test}`;

/** The ways to end that each test has seen. A test that has seen few of them is about these. */
const seenBy = new Map<string, Set<string>>();
for (const each of notes) seenBy.set(nameOf(each), (seenBy.get(nameOf(each)) ?? new Set()).add(endingOf(each)));

/** The test that is most clearly about what it has seen: its title has the status and the operation, or it has seen little else. */
function seen(of: (each: Note) => boolean): Note | undefined {
  const clarity = ({ test, status, method, path }: Note) =>
    (new RegExp(`\\b${status}\\b`).test(test) ? 2 : 0) + (test.includes(`${method} ${path}`) ? 1 : 0);
  const width = (each: Note) => seenBy.get(nameOf(each))?.size ?? 0;
  return notes
    .filter(of)
    .sort((a, b) => clarity(b) - clarity(a) || width(a) - width(b) || (nameOf(a) < nameOf(b) ? -1 : 1))[0];
}

function cited(spec: string, test: string): string {
  return `${test.replaceAll('|', '\\|')} ([spec](../${spec}))`;
}

function endings(operation: Operation): { status: number; fault: FaultType | null }[] {
  const { status, answer } = operation;
  const faults = faultsOf(operation).map((fault) => ({ status: faultCodes[fault], fault }));
  return [{ status, fault: null }, ...(answer ? [{ status: 200, fault: null }] : []), ...faults];
}

const missing: string[] = [];
const lines = operations.flatMap((operation) => {
  const { method, path, summary } = operation;
  const name = `\`${method} ${path}\``;
  return endings(operation).map(({ status, fault }) => {
    const by = seen(
      (each) => each.method === method && each.path === path && each.status === status && each.fault === fault,
    );
    if (!by) missing.push(`${method} ${path} ${status} ${fault ?? ''}`);
    const what = fault === null ? summary : `\`${fault}\``;
    return `| ${name} | ${status} | ${what} | ${by ? cited(by.spec, by.test) : '**missing**'} |`;
  });
});
const tests = testsIn(root, process.argv.slice(4));
const rules = Object.entries(contractRules).flatMap(([section, ofSection]) => [
  `\n### ${section}\n\n| Rule | Shown by |\n| --- | --- |`,
  ...ofSection.map(({ rule, shown }) => {
    const by = shown.map(([spec, title]) => {
      const ran = matching(tests, [spec, title]);
      if (ran.length > 0 && ran.every(({ status }) => status === 'passed')) return cited(spec, title);
      missing.push(`${section}: ${rule}: ${spec}: ${title}: ${ran.length > 0 ? 'did not pass' : 'did not run'}`);
      return '**missing**';
    });
    return `| ${rule} | ${by.join('<br>')} |`;
  }),
]);
const codes = [...new Set(Object.values(faultCodes))].filter((code) => !notes.some(({ status }) => status === code));
if (!figures) missing.push('the requests of the fuzz');
missing.push(...codes.map((code) => `no test has seen a ${code}`));

writeFileSync(
  file,
  `# The contract, and the tests that hold it

Written by \`npm test\`: each rule of the contract with the tests that show it; and each operation, each way in which it ends,
and a test that has seen it end so. A title stands as its source has it: a \`%s\` or \`$name\` is many cases.

## The rules
${rules.join('\n')}

## The operations

| Operation | Status | What | Seen by |
| --- | --- | --- | --- |
${lines.join('\n')}

## The fuzz

Besides, ${figures?.requests ?? 0} requests that nobody thought of, over the whole surface (\`STRONGROOM_FUZZ_REQUESTS\` makes them more):
${figures?.of5xx ?? 0} answered by a failure of the service, ${figures?.leaks ?? 0} with anything of another account, and none that left a rejected promise
unhandled, which would have ended the run.
`,
);
if (missing.length > 0) {
  process.stderr.write(`\nOf the contract, no test has seen:\n  ${missing.join('\n  ')}\n`);
  process.exitCode = 1;
}
