/** `stack.json`: what runs and how to reach it, for scripts and tests; kept true as processes come and go, readable by its owner only. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const stack = z.object({
  api: z.string(),
  accountId: z.string(),
  otherAccountId: z.string(),
  instanceId: z.string().nullable(),
  homeRegion: z.string(),
  tokens: z.object({ admin: z.string(), creator: z.string(), observer: z.string(), other: z.string() }),
  broker: z.enum(['kafka', 'embedded']),
  kafka: z.string().optional(),
  /** Strongroom's own database. */
  postgres: z.string(),
  vaults: z.record(z.string(), z.string()),
  /** Only of what runs. */
  pids: z.record(z.string(), z.int()),
  /** Of the services beside the API: `/health/ready`, `/metrics`. */
  health: z.record(z.string(), z.string()),
  demo: z.object({ postgres: z.string() }).optional(),
});
export type Stack = z.infer<typeof stack>;

export class StackFile {
  private readonly path: string;

  constructor(
    folder: string,
    private content: Stack,
  ) {
    this.path = join(folder, 'stack.json');
    this.change({});
  }

  /** What an earlier start left, if it can be read. */
  static read(folder: string): Stack | undefined {
    const path = join(folder, 'stack.json');
    if (!existsSync(path)) return undefined;
    try {
      return stack.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch {
      return undefined;
    }
  }

  get current(): Stack {
    return this.content;
  }

  change(changes: Partial<Stack>): void {
    this.content = { ...this.content, ...changes };
    const unfinished = `${this.path}.${process.pid}`;
    writeFileSync(unfinished, `${JSON.stringify(this.content, null, 2)}\n`, { mode: 0o600 });
    renameSync(unfinished, this.path);
  }

  runs(name: string, pid: number): void {
    this.change({ pids: { ...this.content.pids, [name]: pid } });
  }

  runsNot(name: string): void {
    const { [name]: _, ...pids } = this.content.pids;
    this.change({ pids });
  }
}
