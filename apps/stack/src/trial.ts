/**
 * Restores the demo's backup for a trial, by the command that the pages show. The services know nothing of trials, so only the one who has
 * started the stack is told.
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
}

export type TrialOutcome = { tables: number; rows: bigint; seconds: number } | { notTested: string };

const said = z.object({
  restored: z.discriminatedUnion('started', [
    z.object({
      started: z.literal(true),
      databases: z.array(z.object({ tables: z.array(z.object({ rows: z.coerce.bigint() })) })),
    }),
    z.object({ started: z.literal(false), why: z.string() }),
  ]),
});
const failed = z.object({ stderr: z.string().min(1) });

/** @returns what was read, or why nothing could be. It throws nothing: a stack without a trial serves as well */
export async function tryRestore(projectFolder: string, trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
  const { backupId, region, vault, identity } = trial;
  const program = join(projectFolder, 'dist', 'apps', 'cli', 'src', 'main.js');
  const options = ['--from', region, '--vault', `${region}=${vault}`, '--identity', identity, '--restore', '--json'];
  const begun = performance.now();
  try {
    const { stdout } = await run(process.execPath, [program, 'verify', backupId, ...options], { signal });
    return outcomeOf(stdout, performance.now() - begun);
  } catch (error) {
    const { data } = failed.safeParse(error);
    return { notTested: data ? (data.stderr.trim().split('\n').at(-1) ?? '') : messageOf(error) };
  }
}

export function outcomeOf(stdout: string, ms: number): TrialOutcome {
  const { restored } = said.parse(JSON.parse(stdout));
  if (!restored.started) return { notTested: restored.why };
  const tables = restored.databases.flatMap((database) => database.tables);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0n);
  return { tables: tables.length, rows, seconds: ms / 1_000 };
}
