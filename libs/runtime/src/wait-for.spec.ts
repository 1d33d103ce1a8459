import { describe, expect, it } from '@jest/globals';
import { createLogger } from './log.js';
import { waitFor } from './wait-for.js';

describe('waiting for something', () => {
  const openLog = () => {
    const lines: string[] = [];
    return { lines, log: createLogger({ app: 'test', level: 'info', to: { write: (line) => lines.push(line) } }) };
  };
  const soon = { firstPauseMs: 1, longestPauseMs: 2 };

  it('says once what for and why, and when it is there', async () => {
    const { lines, log } = openLog();
    let tries = 0;
    const probe = async () => {
      tries += 1;
      if (tries < 4) throw new Error('connection refused');
      return 'open';
    };
    expect(await waitFor('the database', probe, log, soon)).toBe('open');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('"msg":"waiting for the database"');
    expect(lines[0]).toContain('connection refused');
    expect(lines[1]).toContain('"msg":"the database is there"');
  });

  it('says nothing when it is there at once', async () => {
    const { lines, log } = openLog();
    await waitFor('the database', async () => {}, log, soon);
    expect(lines).toEqual([]);
  });

  it('ends at once with an error that is not temporary, or when it is told to', async () => {
    const { log } = openLog();
    const refused = async () => {
      throw new Error('password is wrong');
    };
    await expect(waitFor('the database', refused, log, { ...soon, passes: () => false })).rejects.toThrow(/password/);
    const stopping = new AbortController();
    const waiting = waitFor('the database', refused, log, { signal: stopping.signal });
    stopping.abort();
    await expect(waiting).rejects.toThrow(/password/);
  });
});
