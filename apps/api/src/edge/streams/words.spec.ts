import { describe, expect, it } from '@jest/globals';
import type { LedgerItem } from '@strongroom/ledger';
import { Words } from './words.js';

const at = new Date('2026-11-24T00:00:00.000Z');
const entry = { type: 'SettingsInForce' as const, actor: null, data: { key_ids: [], roles: {} } };
const item = (seq: number): LedgerItem => ({
  ...{ position: 1, seq },
  recorded: { id: `id-${seq}`, accountId: 'acme', at, entry },
});

describe('what streams tell', () => {
  it('is put into words once, and is the same bytes for all of them', () => {
    let asked = 0;
    const words = new Words((each) => {
      asked += 1;
      return { id: `id-${each.seq}`, type: 'Noted', data: { seq: each.seq } };
    });
    const items = [item(1), item(2), item(3)];
    const [first, ...more] = words.piecesOf(items);
    expect(more).toEqual([]);
    expect(first?.text.toString()).toBe(
      [1, 2, 3].map((seq) => `id: id-${seq}\nevent: Noted\ndata: {"seq":${seq}}\n\n`).join(''),
    );
    expect(first).toMatchObject({ id: 'id-3', place: { position: 1, seq: 3 } });
    expect(words.piecesOf(items)[0]?.text).toBe(first?.text);
    expect(words.piecesOf(items.slice(1))[0]?.text.toString()).toMatch(/^id: id-2\n/);
    expect(asked).toBe(3);
  });

  it('leaves out what is not told, and is cut into pieces that a slow client can be given one by one', () => {
    const words = new Words(({ seq }) =>
      seq % 2 === 0 ? undefined : { id: `id-${seq}`, type: 'Noted', data: { text: 'x'.repeat(20_000) } },
    );
    const pieces = words.piecesOf(Array.from({ length: 9 }, (_, seq) => item(seq)));
    expect(pieces.map(({ id }) => id)).toEqual(['id-3', 'id-7']);
    expect(pieces.every(({ text }) => text.length < 64_000)).toBe(true);
    expect(words.piecesOf([item(2)])).toEqual([]);
  });
});
