/**
 * Writes docs/contract.md at the end of a run of all tests: which test has seen each way in which an operation ends. It fails when no test has
 * seen one, and when a test that shows a rule is missing or did not pass. `contract-table.ts NOTES REPORT…` takes the answers that the tests have
 * noted, and Jest's reports of all suites. With `--partly`, some tests could not run for want of a part: what the page says already stays where
 * this run has seen nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultCodes } from '@strongroom/contracts';
import { z } from 'zod';
import { contractRules } from '../test/contract-rules.js';
import { cited, contractPage, type Ending, everyEnding, fuzzedIn, seenIn } from './contract-page.js';
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
const before = readFileSync(file, 'utf8');
const [notesFile = '', ...others] = process.argv.slice(3);
const isPartly = others.includes('--partly');
const reports = others.filter((each) => each !== '--partly');

const noted: unknown[] = readFileSync(notesFile, 'utf8')
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
function seen({ operation: { method, path }, status, fault }: Ending): string | undefined {
  const clarity = ({ test }: Note) =>
    (new RegExp(`\\b${status}\\b`).test(test) ? 2 : 0) + (test.includes(`${method} ${path}`) ? 1 : 0);
  const width = (each: Note) => seenBy.get(nameOf(each))?.size ?? 0;
  const [clearest] = notes
    .filter((each) => endingOf(each) === `${method} ${path} ${status} ${fault}`)
    .sort((a, b) => clarity(b) - clarity(a) || width(a) - width(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
  return clearest && cited(clearest.spec, clearest.test);
}

const formerly = isPartly ? seenIn(before) : () => undefined;
const byEnding = new Map(everyEnding.map((ending) => [ending, seen(ending) ?? formerly(ending)]));
const missing = [...byEnding].flatMap(
  ([
    {
      operation: { method, path },
      status,
      fault,
    },
    by,
  ]) => (by === undefined ? [`${method} ${path} ${status} ${fault ?? ''}`] : []),
);
const tests = testsIn(root, reports);
for (const [section, ofSection] of Object.entries(contractRules))
  for (const { rule, shown } of ofSection)
    for (const [spec, title] of shown) {
      const ran = matching(tests, [spec, title]);
      if (ran.some(({ status }) => status !== 'passed'))
        missing.push(`${section}: ${rule}: ${spec}: ${title}: did not pass`);
      else if (ran.length === 0 && !isPartly) missing.push(`${section}: ${rule}: ${spec}: ${title}: did not run`);
    }
const codes = [...new Set(Object.values(faultCodes))].filter((code) => !notes.some(({ status }) => status === code));
missing.push(...codes.map((code) => `no test has seen a ${code}`));
if (!figures) missing.push('the requests of the fuzz');

writeFileSync(
  file,
  contractPage((ending) => byEnding.get(ending), figures ?? fuzzedIn(before)),
);
if (missing.length > 0) {
  process.stderr.write(`\nOf the contract, no test has seen:\n  ${missing.join('\n  ')}\n`);
  process.exitCode = 1;
}
