/** The work of `strongroom ledger verify`: it proves that the events are those that were recorded, as far as anybody can. */
import { appendFileSync, readFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { Ledger, type LedgerHead, type LinksVerdict, ledgerHead, verifyLinks } from '@strongroom/ledger';
import { UsageFault } from './command-fault.js';
import { endWith } from './exit-codes.js';
import { onDatabase } from './open-database.js';
import { say, sayJson } from './output.js';
import { Progress } from './progress.js';

export interface VerifyLedgerOptions {
  against?: string;
  onlyNew?: true;
  export?: string;
  json?: true;
}

export async function verifyLedger(options: VerifyLedgerOptions): Promise<void> {
  const heads = options.against === undefined ? [] : headsIn(options.against);
  const onlyNew = options.onlyNew === true;
  if (onlyNew && heads.length === 0)
    throw new UsageFault('--only-new needs --against.', 'Give a file that has a head: --against FILE');
  const verdict = await verify(heads, options);
  const compared = onlyNew ? 1 : heads.length;
  if (options.json) sayJson(verdict);
  else say(told(verdict, compared));
  if (verdict.broken)
    endWith('altered', 'Compare it with a backup of the database. See docs/security.md for what else tells of it.');
  else if (options.export !== undefined) exportTo(options.export, verdict.head);
}

function verify(heads: readonly LedgerHead[], { onlyNew, json }: VerifyLedgerOptions): Promise<LinksVerdict> {
  return onDatabase({ applicationName: 'strongroom-ledger-verify', poolSize: 1 }, async (dataSource) => {
    const first = onlyNew ? Math.max(...heads.map(({ position }) => position)) : 0;
    // Positions are given one after the other, so they tell nearly how many events there are.
    const total = (await new Ledger(dataSource).head()) - first;
    const progress = new Progress('verifying the ledger', { json, counted: 'events', total });
    // Where the newest head proves nothing, everything is verified, also what came before it.
    const reach = (position: number) => progress.reach(Math.max(0, position - first));
    return verifyLinks(dataSource, { heads, onlyNew: onlyNew === true, progress: reach }).finally(() => progress.end());
  });
}

function told({ head, unlinked, broken }: LinksVerdict, heads: number): string {
  if (broken) return `The ledger is wrong at position ${broken.position}. ${broken.reason}`;
  const older =
    unlinked > 0
      ? ` ${unlinked} of them are of an older version and have no link: only earlier heads tell of them.`
      : '';
  const compared = heads > 0 ? ` It has every one of ${heads} earlier heads that were compared.` : '';
  return `The ledger is whole: ${head.events} events, up to position ${head.position}.${older}${compared}\nhead ${head.link}`;
}

/** A file has a head on each line. */
function headsIn(path: string): LedgerHead[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines.filter((line) => line.trim() !== '').map((line) => ledgerHead.parse(JSON.parse(line)));
  } catch (error) {
    throw new UsageFault(
      `${path} has no heads of a ledger: ${messageOf(error)}`,
      'Give a file that --export has made.',
      {
        cause: error,
      },
    );
  }
}

function exportTo(path: string, head: LedgerHead): void {
  try {
    appendFileSync(path, `${JSON.stringify(head)}\n`, { flush: true });
  } catch (error) {
    throw new UsageFault(`${path} can't be written: ${messageOf(error)}`, 'Name another file: --export FILE', {
      cause: error,
    });
  }
}
