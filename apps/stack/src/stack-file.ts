/**
 * `stack.json` says what runs and how to reach it, for scripts and tests. It follows the processes as they come and go, is
 * never half written, and only its owner can read it. It appears when everything but the services' pids is known; each
 * pid is added when its service begins to serve.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeJson } from './whole-file.js';

const stack = z.object({
  api: z.string(),
  accountId: z.string(),
  otherAccountId: z.string(),
  /** The instance of the demo customer's database; null when none was ever registered. */
  instanceId: z.string().nullable(),
  homeRegion: z.string(),
  tokens: z.object({ admin: z.string(), creator: z.string(), observer: z.string(), other: z.string() }),
  broker: z.enum(['kafka', 'embedded']),
  /** `host:port,…` */
  kafka: z.string().optional(),
  /** The prefix of topics and consumer groups. */
  namespace: z.string().optional(),
  /** Strongroom's own database. */
  postgres: z.string(),
  vaults: z.record(z.string(), z.string()),
  /** The pids of what runs. A service is here only while it serves. */
  pids: z.record(z.string(), z.int()),
  /** Where each service serves `/health/ready` and `/metrics`. */
  health: z.record(z.string(), z.string()),
  demo: z.object({ postgres: z.string() }).optional(),
});
export type StackDescription = z.infer<typeof stack>;

export class StackFile {
  private readonly path: string;
  private content: Partial<StackDescription>;

  constructor(folder: string) {
    this.path = join(folder, 'stack.json');
    const before = this.read();
    this.content = { instanceId: before?.instanceId ?? null, pids: {}, health: {} };
    // A launcher that was killed left pids here that are no longer true.
    if (before) writeJson(this.path, { ...before, pids: {}, health: {} });
  }

  /** @throws before everything in it is known */
  get current(): StackDescription {
    return stack.parse(this.content);
  }

  change(changes: Partial<StackDescription>): void {
    this.content = { ...this.content, ...changes };
    const whole = stack.safeParse(this.content);
    if (whole.success) writeJson(this.path, whole.data);
  }

  runs(name: string, pid: number, healthUrl?: string): void {
    const { pids, health } = this.content;
    this.change({
      pids: { ...pids, [name]: pid },
      ...(healthUrl !== undefined && { health: { ...health, [name]: healthUrl } }),
    });
  }

  runsNot(name: string): void {
    const without = <T>(record: Record<string, T> = {}) =>
      Object.fromEntries(Object.entries(record).filter(([each]) => each !== name));
    this.change({ pids: without(this.content.pids), health: without(this.content.health) });
  }

  private read(): StackDescription | undefined {
    if (!existsSync(this.path)) return undefined;
    try {
      return stack.parse(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch {
      return undefined;
    }
  }
}
