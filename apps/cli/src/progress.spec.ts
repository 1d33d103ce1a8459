import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Progress } from './progress.js';

let said = '';
let seconds = 0;
const { isTTY } = process.stderr;
beforeEach(() => {
  said = '';
  seconds = 100;
  process.stderr.isTTY = false;
  jest.spyOn(performance, 'now').mockImplementation(() => seconds * 1_000);
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  process.stderr.isTTY = isTTY;
});

describe('how far a long command is', () => {
  it('is told now and then, with the rate and the time that is left', () => {
    const progress = new Progress('restoring', { total: 100_000_000 });
    seconds += 4;
    progress.add(10_000_000);
    expect(said).toBe('');
    seconds += 1;
    progress.add(10_000_000);
    expect(said).toBe('restoring: 20.0 MB of 100.0 MB, 20 %, 4.0 MB/s, 20 s left\n');
    seconds += 5;
    progress.add(80_000_000);
    progress.end();
    expect(said.split('\n')[1]).toBe('restoring: 100.0 MB of 100.0 MB, 100 %, 10.0 MB/s');
    expect(progress.summary).toBe('100.0 MB in 10.0 s');
  });

  it('is a line of JSON for a program', () => {
    const progress = new Progress('making the views anew', { json: true, counted: 'events' });
    seconds += 5;
    progress.reach(300, 1_000);
    progress.end();
    expect(JSON.parse(said)).toEqual({
      ...{ message_type: 'status', doing: 'making the views anew', events_done: 300, events_total: 1_000 },
      ...{ percent_done: 30, events_per_second: 60, seconds_elapsed: 5, seconds_left: 12 },
    });
  });

  it('says nothing of what is left while nobody knows how much there is', () => {
    const progress = new Progress('reading the vault of IAD', { counted: 'backups' });
    seconds += 10;
    progress.add(40);
    expect(said).toBe('reading the vault of IAD: 40 backups, 4 backups/s\n');
    said = '';
    const told = new Progress('reading the vault of IAD', { json: true, counted: 'backups' });
    seconds += 10;
    told.add(40);
    expect(Object.keys(JSON.parse(said)).filter((name) => /total|percent|left/.test(name))).toEqual([]);
  });

  it('is one line that is drawn again on a terminal, and is gone at the end', () => {
    process.stderr.isTTY = true;
    const progress = new Progress('verifying', { total: 4_000_000 });
    for (let turn = 0; turn < 2; turn += 1) {
      seconds += 1;
      progress.add(1_000_000);
    }
    progress.end();
    expect(said.split('\r').slice(1)).toEqual([
      'verifying: 1.0 MB of 4.0 MB, 25 %, 1.0 MB/s, 3 s left\u001b[K',
      'verifying: 2.0 MB of 4.0 MB, 50 %, 1.0 MB/s, 2 s left\u001b[K',
      '\u001b[K',
    ]);
  });
});
