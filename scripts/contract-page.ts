/**
 * The text of docs/contract.md. It lists every rule of the contract with the tests that show it, and every operation of the API with every way in
 * which it ends and a test that has seen it. `npm run docs` writes the rules and the ways; which test has seen a way is known to a run of all tests.
 */
import { type FaultType, faultCodes, faultsOf, type Operation, operations } from '@strongroom/contracts';
import { contractRules } from '../test/contract-rules.js';

/** One way in which an operation ends. */
export interface Ending {
  operation: Operation;
  status: number;
  /** Null when it does what was asked. */
  fault: FaultType | null;
}

/** What came of random requests. */
export interface Fuzzed {
  requests: number;
  of5xx: number;
  leaks: number;
}

/** Stands in the place of a test, where no run has seen an ending yet. */
export const notSeen = '**no run of all tests has seen it yet**';

export const everyEnding: readonly Ending[] = operations.flatMap((operation) => {
  const { status, answer } = operation;
  const faults = faultsOf(operation).map((fault) => ({ operation, status: faultCodes[fault], fault }));
  return [{ operation, status, fault: null }, ...(answer ? [{ operation, status: 200, fault: null }] : []), ...faults];
});

export function cited(spec: string, test: string): string {
  return `${test.replaceAll('|', '\\|')} ([spec](../${spec}))`;
}

/** @param seenBy what cites a test that has seen an ending; undefined when there is none */
export function contractPage(seenBy: (ending: Ending) => string | undefined, fuzzed: Fuzzed): string {
  const rules = Object.entries(contractRules).flatMap(([section, ofSection]) => [
    `\n### ${section}\n\n| Rule | Shown by |\n| --- | --- |`,
    ...ofSection.map(
      ({ rule, shown }) => `| ${rule} | ${shown.map(([spec, test]) => cited(spec, test)).join('<br>')} |`,
    ),
  ]);
  const rows = everyEnding.map((ending) => {
    const { operation, status, fault } = ending;
    const what = fault === null ? operation.summary : `\`${fault}\``;
    return `| \`${nameOf(operation)}\` | ${status} | ${what} | ${seenBy(ending) ?? notSeen} |`;
  });
  return `# The contract, and the tests that hold it

Each rule of the contract with the tests that show it; and each operation, each way in which it ends, and a test that has seen it end so.
\`npm run docs\` writes the rules and the ways, and \`npm test\` which test has seen each way. A title stands as its source has it: a \`%s\` or \`$name\` is many cases.

## The rules
${rules.join('\n')}

## The operations

| Operation | Status | What | Seen by |
| --- | --- | --- | --- |
${rows.join('\n')}

## The fuzz

Besides, ${fuzzed.requests} requests that nobody thought of, over the whole surface (\`STRONGROOM_FUZZ_REQUESTS\` makes them more):
${fuzzed.of5xx} answered by a failure of the service, ${fuzzed.leaks} with anything of another account, and none that left a rejected promise
unhandled, which would have ended the run.
`;
}

/** What a page says of each ending already; undefined of what no run has seen. */
export function seenIn(page: string): (ending: Ending) => string | undefined {
  const rows = new Map<string, string>();
  for (const [, name = '', status = '', what = '', seen = ''] of page.matchAll(
    /^\| `(.+?)` \| (\d+) \| (.+?) \| (.+) \|$/gm,
  ))
    if (seen !== notSeen) rows.set(keyOf(name, status, what.startsWith('`') ? what : ''), seen);
  return ({ operation, status, fault }) =>
    rows.get(keyOf(nameOf(operation), String(status), fault === null ? '' : `\`${fault}\``));
}

/** @throws when the page has no figures of random requests */
export function fuzzedIn(page: string): Fuzzed {
  const [, requests, of5xx, leaks] =
    /^Besides, (\d+) requests .*\n(\d+) answered by a failure of the service, (\d+) with/m.exec(page) ?? [];
  if (leaks === undefined) throw new Error('docs/contract.md has no figures of random requests');
  return { requests: Number(requests), of5xx: Number(of5xx), leaks: Number(leaks) };
}

function nameOf({ method, path }: Operation): string {
  return `${method} ${path}`;
}

/** What an operation does may be worded anew, and is the same ending then. */
function keyOf(name: string, status: string, fault: string): string {
  return [name, status, fault].join(' ');
}
