import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { keptMs, PieceMemories } from './piece-memory.js';

const mib = 1_048_576;

describe('memory for pieces', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is kept until no piece was sent for a while', () => {
    jest.useFakeTimers();
    const memories = new PieceMemories();
    const first = memories.take(2 * mib);
    first.giveBack();
    jest.advanceTimersByTime(keptMs - 1);
    const second = memories.take(2 * mib);
    expect(second.memory.buffer).toBe(first.memory.buffer);
    second.giveBack();
    jest.advanceTimersByTime(keptMs - 1);
    const third = memories.take(2 * mib);
    expect(third.memory.buffer).toBe(first.memory.buffer);
    third.giveBack();
    jest.advanceTimersByTime(keptMs);
    expect(memories.take(2 * mib).memory.buffer).not.toBe(first.memory.buffer);
  });

  it('is lent again when it was given back, and not before, also for a piece of another size', () => {
    const memories = new PieceMemories();
    const first = memories.take(2 * mib);
    const second = memories.take(2 * mib);
    expect(second.memory.buffer).not.toBe(first.memory.buffer);
    first.giveBack();
    const third = memories.take(2 * mib - 7);
    expect(third.memory.buffer).toBe(first.memory.buffer);
    expect(third.memory.length).toBe(2 * mib - 7);
  });

  it('is lent to one piece at a time, though it was given back twice', () => {
    const memories = new PieceMemories();
    const { giveBack } = memories.take(mib);
    giveBack();
    giveBack();
    expect(memories.take(mib).memory.buffer).not.toBe(memories.take(mib).memory.buffer);
  });

  it('of small pieces is not kept', () => {
    const memories = new PieceMemories();
    const small = memories.take(10);
    small.giveBack();
    expect(small.memory.length).toBe(10);
    expect(memories.take(10).memory.buffer).not.toBe(small.memory.buffer);
  });
});
