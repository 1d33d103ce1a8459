import { getHeapStatistics } from 'node:v8';
import { describe, expect, it } from '@jest/globals';
import { freeWhatStartNeeded, PassedMemory, passedMemory } from './passed-memory.js';

const chunkBytes = 65_536;
const mib = 1_048_576;

describe('memory of bytes that have passed', () => {
  it('is freed while more pass, and does not pile up', () => {
    const before = getHeapStatistics().external_memory;
    let most = 0;
    for (let passed = 0; passed < 128 * mib; passed += chunkBytes) {
      passedMemory.passed(Buffer.allocUnsafeSlow(chunkBytes).length);
      most = Math.max(most, getHeapStatistics().external_memory - before);
    }
    expect(most).toBeLessThan(16 * mib);
  });

  it('is looked at after every four mebibytes, and not for less', () => {
    let looks = 0;
    const memory = new PassedMemory(() => {
      looks += 1;
    });
    for (let passed = 0; passed < 4 * mib - chunkBytes; passed += chunkBytes) memory.passed(chunkBytes);
    expect(looks).toBe(0);
    memory.passed(chunkBytes);
    expect(looks).toBe(1);
    memory.passed(4 * mib - 1);
    expect(looks).toBe(1);
  });
});

it('what only a start needed is given back to the system, but on Node 20', () => {
  let needed = Array.from({ length: 1_000_000 }, (_, at) => ({ at }));
  const most = getHeapStatistics().total_physical_size;
  expect(needed.at(-1)).toEqual({ at: 999_999 });
  needed = [];
  freeWhatStartNeeded();
  const isKnown = Number(process.versions.node.split('.')[0]) > 20;
  expect(getHeapStatistics().total_physical_size).toBeLessThan(most - (isKnown ? 16 * mib : -mib));
});
