/**
 * `stack.json`: what runs and how to reach it, for scripts and tests. Kept true as processes come and go, never half
 * written, readable by its owner only. It appears when everything in it is known but for the services' processes, whose
 * pids come as they begin to serve.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeJson } from './whole-file.js';

const stack = z.object({
  api: z.string(),
  accountId: z.string(),
  otherAccountId: z.string(),
  /** The demo customer's database; null when none was ever registered. */
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
  /** Only of what runs; the services' only while they serve. */
  pids: z.record(z.string(), z.int()),
  /** Of the services beside the API: `/health/ready`, `/metrics`. */
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
    // A launcher that was killed left it saying what is no longer so.
    if (before) writeJson(this.path, { ...before, pids: {}, health: {} });
  }

  /** @throws before it is whole */
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
