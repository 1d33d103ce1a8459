import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../test/services/eventually.js';
import type { EngineObject } from '../../engine.js';
import { Archives } from './archives.js';

const mebibyte = Buffer.alloc(1_048_576);

describe('the archives of a backup', () => {
  let archives: Archives;
  let isHeld: boolean;
  let isAbandoned: boolean;

  beforeEach(() => {
    isHeld = false;
    isAbandoned = false;
    archives = new Archives({
      pause: () => {
        isHeld = true;
      },
      resume: () => {
        isHeld = false;
      },
      abandoned: () => {
        isAbandoned = true;
      },
    });
  });
  const objects = () => archives.objects[Symbol.asyncIterator]();
  const next = async (of: AsyncIterator<EngineObject>): Promise<EngineObject> => {
    const { value, done } = await of.next();
    if (done) throw new Error('there is no more');
    return value;
  };

  it('hold the server back when one is full, until it is read', async () => {
    archives.begin('base.tar');
    archives.add(mebibyte);
    expect(isHeld).toBe(true);
    const { source } = await next(objects());
    const reading = source[Symbol.asyncIterator]();
    await reading.next();
    await eventually(() => expect(isHeld).toBe(false), { withinMs: 5_000 });
  });

  it('hold the server back when a new one begins before the one before it is read', async () => {
    const all = objects();
    archives.begin('16413.tar');
    archives.add(Buffer.from('few'));
    expect(isHeld).toBe(false);
    archives.begin('base.tar');
    expect(isHeld).toBe(true);
    const { source } = await next(all);
    expect(await buffer(source)).toEqual(Buffer.from('few'));
    await eventually(() => expect(isHeld).toBe(false), { withinMs: 5_000 });
  });

  it('do not hold the server back after the last one: it has yet to say that the backup is good', async () => {
    archives.begin('16413.tar');
    archives.begin('base.tar');
    archives.add(mebibyte);
    expect(isHeld).toBe(true);
    archives.end();
    expect(isHeld).toBe(false);
    const all = objects();
    await buffer((await next(all)).source);
    expect(await buffer((await next(all)).source)).toHaveLength(mebibyte.length);
    await expect(all.next()).resolves.toMatchObject({ done: true });
    expect(isAbandoned).toBe(false);
  });

  it('end with the failure, for the reader of one and for a reader that waits for the next', async () => {
    const failure = new Error('the server went away');
    archives.begin('base.tar');
    const all = objects();
    const { source } = await next(all);
    archives.fail(failure);
    await expect(buffer(source)).rejects.toBe(failure);
    await expect(all.next()).rejects.toBe(failure);
  });

  it('tell when a reader throws one away', async () => {
    archives.begin('base.tar');
    archives.add(Buffer.from('few'));
    const { source } = await next(objects());
    for await (const _ of source) break;
    await eventually(() => expect(isAbandoned).toBe(true), { withinMs: 5_000 });
  });
});
