/** Looks at the database of the ledger: whether it answers, has the schema of this version, and keeps what it has acknowledged. It only reads. */
import { messageOf } from '@strongroom/contracts';
import { createDataSource, mustBeUpToDate, SchemaFault } from '@strongroom/database';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { UsageFault } from '../command-fault.js';
import { databaseUrl } from '../database-options.js';
import { clockTold, type Finding, failed, noting, ok, unchecked } from './finding.js';

/** Without one of these, a crash takes back what was acknowledged, or tears pages. Each session turns `synchronous_commit` on by itself. */
const mustBeOn = ['fsync', 'full_page_writes'] as const;

const rows = z
  .array(
    z.object({
      version: z.string(),
      now: z.date(),
      fsync: z.string(),
      full_page_writes: z.string(),
    }),
  )
  .length(1);

/** @param whenOpen is given the database while it is open */
export async function checkDatabase(whenOpen?: (dataSource: DataSource) => Promise<void>): Promise<Finding[]> {
  const found: Finding[] = [];
  const note = noting('database', found);
  let url: string;
  try {
    url = databaseUrl();
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    note('ledger', 'reach', unchecked(error.message, 'Set STRONGROOM_DATABASE_URL.'));
    return found;
  }
  const dataSource = createDataSource({ url, applicationName: 'strongroom-doctor', poolSize: 1 });
  try {
    await dataSource.initialize();
  } catch (error) {
    const why = `The database does not let us in: ${messageOf(error)}`;
    note('ledger', 'reach', failed(why, 'See that it runs, and that STRONGROOM_DATABASE_URL is right.'));
    return found;
  }
  try {
    await checkServer(dataSource, note);
    await checkSchema(dataSource, note);
    await whenOpen?.(dataSource);
  } finally {
    await dataSource.destroy();
  }
  return found;
}

type Note = ReturnType<typeof noting>;

async function checkServer(dataSource: DataSource, note: Note): Promise<void> {
  const asked = Date.now();
  const answer: unknown = await dataSource.query(
    `select current_setting('server_version') as version, clock_timestamp() as now, ${mustBeOn
      .map((name) => `current_setting('${name}') as ${name}`)
      .join(', ')}`,
  );
  const [told] = rows.parse(answer);
  if (!told) throw new TypeError('a select without a from gives one row');
  note('ledger', 'reach', ok(`The database answers, in version ${told.version}.`));
  for (const name of mustBeOn) {
    const lost = `${name} is ${told[name]}: what was acknowledged can be lost in a crash.`;
    note(
      'ledger',
      name,
      told[name] === 'on' ? ok(`${name} is ${told[name]}.`) : failed(lost, `Set ${name} = on, and reload the server.`),
    );
  }
  note('ledger', 'clock', clockTold('the database', told.now.getTime() - (asked + Date.now()) / 2));
}

async function checkSchema(dataSource: DataSource, note: Note): Promise<void> {
  try {
    await mustBeUpToDate(dataSource);
    note('ledger', 'migrations', ok('The schema is that of this version.'));
  } catch (error) {
    if (!(error instanceof SchemaFault)) throw error;
    note('ledger', 'migrations', failed(messageOf(error), 'Run: strongroom migrate'));
  }
}
