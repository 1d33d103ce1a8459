import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { App } from './app-process.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

const apps = ['api', 'scheduler', 'replicator'] as const;
const line = z.looseObject({ level: z.string(), msg: z.string() });

let deployment: Deployment;
beforeEach(async () => {
  deployment = await Deployment.create();
});
afterEach(() => deployment.remove());

function said(app: App) {
  const lines = readFileSync(deployment.logFile(app), 'utf8').trim().split('\n');
  return lines.filter(Boolean).map((each) => line.parse(JSON.parse(each)));
}

/** The messages of a service from the moment when it was asked to stop. */
function fromTheAsk(app: App): string[] {
  const messages = said(app).map(({ msg }) => msg);
  return messages.slice(messages.indexOf('stopping: SIGTERM'));
}

describe('a service that is asked to stop', () => {
  it('ends with 0, and its last words are that it has stopped', async () => {
    const started = await deployment.startAll();
    expect(await Promise.all(started.map((each) => each.stop()))).toEqual([0, 0, 0]);
    for (const app of apps) await eventually(() => expect(fromTheAsk(app).at(-1)).toBe('stopped'), { withinMs: 5_000 });
    for (const app of apps) expect(said(app).filter(({ msg }) => msg.startsWith('stopping'))).toHaveLength(1);
  });

  it('does the same while its database is away', async () => {
    const started = await deployment.startAll();
    await deployment.cutDatabase();
    // Each has noticed that by itself.
    await eventually(
      async () => {
        for (const { url } of started) expect((await fetch(new URL('/health/ready', url))).status).toBe(503);
      },
      { withinMs: 30_000 },
    );
    expect(await Promise.all(started.map((each) => each.stop()))).toEqual([0, 0, 0]);
    for (const app of apps) await eventually(() => expect(fromTheAsk(app).at(-1)).toBe('stopped'), { withinMs: 5_000 });
    await deployment.restoreDatabase();
  });
});
