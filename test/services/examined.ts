/** Runs `strongroom doctor` as it is built, and gives what it has found. */
import { z } from 'zod';
import { runStrongroom } from './run-strongroom.js';

const finding = z.object({
  part: z.string(),
  about: z.string(),
  check: z.string(),
  result: z.enum(['ok', 'warning', 'failed', 'unchecked']),
  says: z.string(),
  next: z.string().nullable(),
});
const answer = z.object({ findings: z.array(finding), counts: z.record(z.string(), z.int()) });
export type Found = z.infer<typeof finding>;

export interface Examined {
  code: number | null;
  findings: Found[];
}

/**
 * @param only the parts, with commas between them
 * @param env all that its environment has, beside the path
 * @param cwd a folder without a local stack
 */
export async function examined(only: string, env: Readonly<Record<string, string>>, cwd: string): Promise<Examined> {
  const { code, stdout } = await runStrongroom(['doctor', '--only', only, '--json'], { HOME: cwd, ...env }, cwd);
  return { code, findings: answer.parse(JSON.parse(stdout)).findings };
}

/** What is not well, or could not be looked at. */
export function notWell({ findings }: Examined): Found[] {
  return findings.filter(({ result }) => result !== 'ok');
}
