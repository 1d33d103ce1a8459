/**
 * Restores the demo's backup for a trial, by the command that the pages show. The command tells the service of it, so that the console
 * shows it.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { z } from 'zod';

const run = promisify(execFile);

export interface Trial {
  backupId: string;
  region: string;
  /** The address of the region's vault. */
  vault: string;
  /** The file with the key that opens the backup. */
  identity: string;
  /** Where the service is that is told of it. */
  service: { url: string; account: string; token: string };
}

export type TrialOutcome = { tables: number; rows: bigint; seconds: number; notTold?: string } | { notTested: string };

const said = z.object({
  restored: z.discriminatedUnion('started', [
    z.object({
      started: z.literal(true),
      seconds: z.number(),
      databases: z.array(z.object({ tables: z.array(z.object({ rows: z.coerce.bigint() })) })),
    }),
    z.object({ started: z.literal(false), why: z.string() }),
  ]),
});
const failed = z.object({ stderr: z.string().min(1), stdout: z.string() });

/** @returns what was read, or why nothing could be. It throws nothing: a stack without a trial serves as well */
export async function tryRestore(projectFolder: string, trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
  const { backupId, region, vault, identity, service } = trial;
  const program = join(projectFolder, 'dist', 'apps', 'cli', 'src', 'main.js');
  const options = ['--from', region, '--vault', `${region}=${vault}`, '--identity', identity];
  const env = {
    ...process.env,
    STRONGROOM_PROFILE: '',
    STRONGROOM_URL: service.url,
    STRONGROOM_ACCOUNT: service.account,
    STRONGROOM_TOKEN: service.token,
  };
  const call = [program, 'verify', backupId, ...options, '--restore', '--tell', '--json'];
  try {
    return outcomeOf((await run(process.execPath, call, { signal, env })).stdout);
  } catch (error) {
    const { data } = failed.safeParse(error);
    const why = data ? (data.stderr.trim().split('\n').at(-1) ?? '') : messageOf(error);
    // Some of it was done: it was restored, and not told or no server was started.
    const outcome = data?.stdout ? outcomeOf(data.stdout) : { notTested: why };
    return 'notTested' in outcome ? outcome : { ...outcome, notTold: why };
  }
}

export function outcomeOf(stdout: string): TrialOutcome {
  const { restored } = said.parse(JSON.parse(stdout));
  if (!restored.started) return { notTested: restored.why };
  const tables = restored.databases.flatMap((database) => database.tables);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0n);
  return { tables: tables.length, rows, seconds: restored.seconds };
}
