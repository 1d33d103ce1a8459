/**
 * Tries the connections that backups need, and finds everything that a server lacks for them. It only reads, so that nothing
 * is left on the server.
 */
import { z } from 'zod';
import type { EngineTarget, ServerTest, TriedStep } from '../engine.js';
import { EngineFault, IncrementalNotPossible } from '../engine-fault.js';
import { allAgainstServer } from './chain/grounds.js';
import type { ServerConnection } from './connection.js';
import { describe } from './server.js';
import * as said from './server-says.js';

/** What the test asks a server by. Each rejects with an `EngineFault`. */
export interface ServerQuestions {
  /** Asks over a replication connection. */
  replication<T>(ask: (connection: ServerConnection) => Promise<T>): Promise<T>;
  /** Asks over an ordinary connection to the database. */
  database<T>(ask: (connection: ServerConnection) => Promise<T>): Promise<T>;
  /** Tries whether the WAL summaries can be read. */
  summaries(): Promise<void>;
}

const mostCount = 1_000_000;
/** The last instant that a Date can hold. */
const mostMs = 8_640_000_000_000_000;
const facts = z.object({
  version: said.version,
  version_number: said.versionNumber,
  wal_level: said.words(32),
  senders: said.digits(mostCount),
  slots: said.digits(mostCount),
  slots_used: said.digits(mostCount),
  slots_ours: said.digits(mostCount),
  may_replicate: said.truth,
  now_ms: said.digits(mostMs),
});
type Facts = z.infer<typeof facts>;

/** Every role may ask this. */
const whatItIs = `
  select pg_catalog.current_setting('server_version') as version,
    pg_catalog.current_setting('server_version_num') as version_number,
    pg_catalog.current_setting('wal_level') as wal_level,
    pg_catalog.current_setting('max_wal_senders') as senders,
    pg_catalog.current_setting('max_replication_slots') as slots,
    (select pg_catalog.count(*) from pg_catalog.pg_replication_slots) as slots_used,
    (select pg_catalog.count(*) from pg_catalog.pg_replication_slots
     where pg_catalog.starts_with(slot_name::text, 'strongroom_chain_')) as slots_ours,
    coalesce((select rolreplication or rolsuper from pg_catalog.pg_roles where rolname = session_user), false) as may_replicate,
    pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp()) * 1000) as now_ms`;

/** The oldest version that summarizes its WAL, as `server_version_num`. */
const oldestSummarizing = 170_000;
/** A chain needs a place for the slot that a backup leaves, and one for the backup that follows. */
const slotsOfChain = 2;

export async function testServer({ endpoint }: EngineTarget, ask: ServerQuestions): Promise<ServerTest> {
  const [replication, database, summaries] = await Promise.all([
    outcome(ask.replication(describe)),
    outcome(ask.database(whatItSays)),
    outcome(ask.summaries()),
  ]);
  const { value: server, fault } = replication;
  const told = database.value;
  const full = [...(fault ? [fault.message] : []), ...(told ? lackingForFull(told, endpoint.user, fault) : [])];
  const number = server?.versionNumber ?? told?.version_number;
  const version = server?.version ?? told?.version;
  const incremental = [...full, ...(server ? allAgainstServer(server).map(({ reason }) => reason) : [])];
  // Where nobody is let in at all, the one fault says everything.
  if (summaries.fault && number !== undefined && number >= oldestSummarizing) {
    incremental.push(withoutAdviceToTakeFull(summaries.fault));
  }
  if (told && full.length === 0 && told.slots - told.slots_used + told.slots_ours < slotsOfChain) {
    incremental.push(
      `Of ${told.slots} replication slots ${told.slots_used} are in use, and incremental backups need ${slotsOfChain}. Raise max_replication_slots and restart the server, or drop a slot that nobody needs.`,
    );
  }
  return {
    server:
      version === undefined
        ? undefined
        : { version, systemId: server?.systemId ?? null, clockAheadMs: told?.clockAheadMs ?? null },
    full: { missing: full, fault },
    incremental: { missing: incremental },
    tried: [
      step(`a replication connection to ${where(endpoint)}`, fault),
      step(`a connection to database "${endpoint.database}" at ${where(endpoint)}`, database.fault),
    ],
  };
}

async function whatItSays(connection: ServerConnection) {
  const askedAt = Date.now();
  const [told] = await connection.ask(whatItIs, facts, { leastRows: 1 });
  // It has read its clock between the two.
  return told && { ...told, clockAheadMs: Math.round(told.now_ms - (askedAt + Date.now()) / 2) };
}

/** What the settings and the role lack for a full backup. */
function lackingForFull(told: Facts, user: string, fault: EngineFault | undefined): string[] {
  const { wal_level, senders, slots, slots_used, may_replicate } = told;
  const role = `"${user.replaceAll('"', '""')}"`;
  const lacking: string[] = [];
  if (!may_replicate) {
    lacking.push(`Role ${role} lacks the attribute REPLICATION. Give it: ALTER ROLE ${role} REPLICATION.`);
  }
  if (wal_level === 'minimal') lacking.push('wal_level is minimal. Set wal_level = replica and restart the server.');
  if (senders === 0) lacking.push('max_wal_senders is 0. Set it to 10, for example, and restart the server.');
  if (slots === 0) lacking.push('max_replication_slots is 0. Set it to 10, for example, and restart the server.');
  else if (slots_used >= slots && !fault) {
    lacking.push(
      `All ${slots} replication slots are in use, and a backup needs one. Raise max_replication_slots and restart the server, or drop a slot that nobody needs.`,
    );
  }
  return lacking;
}

/** The last sentence of a ground is for somebody who has asked for an incremental. */
function withoutAdviceToTakeFull(fault: EngineFault): string {
  return fault instanceof IncrementalNotPossible ? fault.message.replace(/ Take a full backup\.$/, '') : fault.message;
}

function where({ host, port, user, tls }: EngineTarget['endpoint']): string {
  return `${host}:${port} as "${user}", ${tls === 'disable' ? 'without TLS' : `with TLS (${tls})`}`;
}

function step(what: string, fault: EngineFault | undefined): TriedStep {
  return { what, fault };
}

type Outcome<T> = { value: T; fault?: undefined } | { value?: undefined; fault: EngineFault };

/** A fault of the server is an outcome. */
async function outcome<T>(asked: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await asked };
  } catch (error) {
    if (error instanceof EngineFault) return { fault: error };
    throw error;
  }
}
