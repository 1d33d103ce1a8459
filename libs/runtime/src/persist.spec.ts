import { describe, expect, it } from '@jest/globals';
import { createLogger } from './log.js';
import { persist } from './persist.js';

describe('an action that must not be lost', () => {
  const openLog = () => {
    const lines: string[] = [];
    return { lines, log: createLogger({ app: 'test', level: 'info', to: { write: (line) => lines.push(line) } }) };
  };
  const outage = new Error('the database is away');
  const passes = (error: unknown) => error === outage;
  const { signal } = new AbortController();

  it('is repeated until what stopped it has passed, and says what is waited for', async () => {
    const { lines, log } = openLog();
    let tries = 0;
    const record = async () => {
      tries += 1;
      if (tries < 3) throw outage;
      return 'recorded';
    };
    expect(await persist(record, { what: 'recording backup b1', passes, signal, log })).toBe('recorded');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
      'recording backup b1 failed for now; trying again in 200 ms',
      'recording backup b1 failed for now; trying again in 400 ms',
    ]);
  });

  it('is not repeated when it can never succeed', async () => {
    const { lines, log } = openLog();
    const record = () => Promise.reject(new Error('no such stream'));
    await expect(persist(record, { what: 'recording', passes, signal, log })).rejects.toThrow('no such stream');
    expect(lines).toEqual([]);
  });

  it('is given up at once when the process stops', async () => {
    const { log } = openLog();
    const stopping = new AbortController();
    const record = async () => {
      queueMicrotask(() => stopping.abort());
      throw outage;
    };
    const recording = persist(record, { what: 'recording', passes, signal: stopping.signal, log });
    await expect(recording).rejects.toBe(outage);
  });
});
