import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { portOf } from './ports.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-ports-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the port of a server', () => {
  it('is the same at every start, until another program has it', async () => {
    const port = await portOf('postgres', folder);
    expect(await portOf('postgres', folder)).toBe(port);
    expect(await portOf('kafka', folder)).not.toBe(port);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    const next = await portOf('postgres', folder);
    expect(next).not.toBe(port);
    other.close();
    await once(other, 'close');
    expect(await portOf('postgres', folder)).toBe(next);
  });
});
