import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hostLane } from './host-lane.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-lane-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the lane of a host', () => {
  it.each(['', 'host-', 'something else'])('is made anew where its file holds no name, and stays then: %p', (text) => {
    writeFileSync(join(folder, '.host'), text);
    const lane = hostLane(folder);
    expect(hostLane(folder)).toBe(lane);
    expect(readdirSync(folder)).toEqual(['.host']);
  });
});
