/**
 * Writes docs/contract.md: every operation of the API and every way in which it ends, each with a test that has seen it.
 * Fails when an operation's success, or a fault that it tells of by name, was seen by no test.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FaultType, faultCodes } from '@strongroom/contracts';
import { z } from 'zod';
import { faultsOf, type Operation, operations } from '../apps/api/src/operations.js';

const note = z.object({
  method: z.string(),
  path: z.string(),
  status: z.int(),
  fault: z.string().nullable(),
  test: z.string(),
  spec: z.string(),
});
type Note = z.infer<typeof note>;

/** What came of the requests that nobody thought of. */
const fuzz = z.object({ fuzz: z.object({ requests: z.int(), of5xx: z.int(), leaks: z.int() }) });

/** True of any operation, and shown of some: who asks, how often, what the service is at. */
const ofAll: readonly FaultType[] = [
  'unauthorized',
  'forbidden',
  'overLimit',
  'badMediaType',
  'instanceFault',
  'serviceUnavailable',
];
const file = join(__dirname, '..', 'docs', 'contract.md');

const noted: unknown[] = readFileSync(process.argv[3] ?? '', 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const notes = noted.flatMap((each) => note.safeParse(each).data ?? []);
const figures = noted.flatMap((each) => fuzz.safeParse(each).data?.fuzz ?? [])[0];

function seen(of: (each: Note) => boolean): Note | undefined {
  const name = ({ spec, test }: Note) => `${spec} ${test}`;
  return notes.filter(of).sort((a, b) => (name(a) < name(b) ? -1 : 1))[0];
}

function endings(operation: Operation): { status: number; fault: FaultType | null }[] {
  const { status, foreign } = operation;
  const faults = faultsOf(operation).map((fault) => ({ status: faultCodes[fault], fault }));
  return [...(foreign ? [] : [{ status, fault: null }]), ...faults];
}

const missing: string[] = [];
const lines = operations.flatMap((operation) => {
  const { method, path, summary } = operation;
  const name = `\`${method} ${path}\``;
  return endings(operation).flatMap(({ status, fault }) => {
    const by = seen(
      (each) => each.method === method && each.path === path && each.status === status && each.fault === fault,
    );
    if (!by && fault !== null && ofAll.includes(fault)) return [];
    if (!by) missing.push(`${method} ${path} ${status} ${fault ?? ''}`);
    const what = fault === null ? summary : `\`${fault}\``;
    return [
      `| ${name} | ${status} | ${what} | ${by ? `${by.test.replaceAll('|', '\\|')} ([spec](../${by.spec}))` : '**none**'} |`,
    ];
  });
});
const codes = [...new Set(Object.values(faultCodes))].filter((code) => !notes.some(({ status }) => status === code));
if (!figures) missing.push('the requests of the fuzz');
missing.push(...codes.map((code) => `no test has seen a ${code}`));

writeFileSync(
  file,
  `# The contract, and the tests that hold it

Written by \`npm test\`: each operation, each way in which it ends, and a test that has seen it end so.

| Operation | Status | What | Seen by |
| --- | --- | --- | --- |
${lines.join('\n')}

## The fuzz

Besides, ${figures?.requests ?? 0} requests that nobody thought of, over the whole surface (\`STRONGROOM_FUZZ_REQUESTS\` makes them more):
${figures?.of5xx ?? 0} answered by a failure of the service, ${figures?.leaks ?? 0} with anything of another account.
`,
);
if (missing.length > 0) {
  process.stderr.write(`\nOf the contract, no test has seen:\n  ${missing.join('\n  ')}\n`);
  process.exitCode = 1;
}
