import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canReach, placeOutside } from './unprivileged.js';

const somebody = { name: 'somebody', uid: 4_000_000, gid: 4_000_000 };
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-reach-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'closed'), { mode: 0o700 });
  mkdirSync(join(folder, 'open'));
  chmodSync(join(folder, 'open'), 0o711);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what another user can reach', () => {
  it('is what lies in folders that are open to pass through, whether it is there yet or not', () => {
    expect(canReach(join(folder, 'open'), somebody)).toBe(true);
    expect(canReach(join(folder, 'open', 'to', 'come'), somebody)).toBe(true);
  });

  it('is nothing below a folder that is closed to others', () => {
    expect(canReach(join(folder, 'closed'), somebody)).toBe(false);
    expect(canReach(join(folder, 'closed', 'to', 'come'), somebody)).toBe(false);
  });

  it('is replaced by a place for that path alone, the same each time', () => {
    expect(placeOutside(join(folder, 'closed'))).toBe(placeOutside(join(folder, 'open', '..', 'closed')));
    expect(placeOutside(join(folder, 'closed'))).not.toBe(placeOutside(join(folder, 'open')));
  });
});
