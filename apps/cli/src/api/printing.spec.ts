import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ListOptions } from './api-options.js';
import { type PageQuery, printList, printOne, sizeOf } from './printing.js';

interface Thing {
  id: string;
  name: string | null;
}

const things: Thing[] = [
  { id: 'a', name: 'first' },
  { id: 'b', name: null },
  { id: 'c', name: 'a\tthird\n\u001b[2J' },
];
/** As the API gives pages: of two things at the most. */
const asked: PageQuery[] = [];
async function page(query: PageQuery) {
  asked.push(query);
  const begin = query.marker === undefined ? 0 : things.findIndex(({ id }) => id === query.marker) + 1;
  const found = things.slice(begin, begin + Math.min(2, query.limit ?? 2));
  const last = found.at(-1)?.id;
  const href = `http://elsewhere/things?marker=${last}`;
  return { things: found, links: last !== things.at(-1)?.id && last ? [{ rel: 'next', href }] : [] };
}
const columns = [
  { title: 'ID', of: ({ id }: Thing) => id },
  { title: 'NAME', of: ({ name }: Thing) => name },
];
const listing = { name: 'things', page, items: (of: { things: Thing[] }) => of.things, columns };
const all: ListOptions = { input: true, limit: 100, all: true };

let out = '';
let err = '';
beforeEach(() => {
  [out, err] = ['', ''];
  asked.length = 0;
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a list', () => {
  it('is a table, whose every line is one thing', async () => {
    await printList(listing, all);
    expect(out.split('\n')).toEqual(['ID  NAME', 'a   first', 'b   -', 'c   a third \ufffd[2J', '']);
    expect(err).toBe('');
  });

  it('is lines with one tab between two fields for programs, without a heading', async () => {
    await printList(listing, { ...all, plain: true });
    expect(out.split('\n').map((line) => line.split('\t').length)).toEqual([2, 2, 2, 1]);
    expect(out).toMatch(/^a\tfirst\nb\t-\n/);
  });

  it('is the document of the API, put together from all pages', async () => {
    await printList(listing, { ...all, json: true });
    expect(JSON.parse(out)).toEqual({ things, links: [] });
    expect(asked).toEqual([{}, { marker: 'b' }]);
  });

  it('ends at its limit, and says that there is more', async () => {
    await printList(listing, { input: true, limit: 1, json: true });
    expect(JSON.parse(out)).toEqual({
      things: [things[0]],
      links: [{ rel: 'next', href: expect.stringContaining('=a') }],
    });
    expect(err).toContain('--all prints all of them');
    expect(asked).toEqual([{ limit: 1 }]);
  });

  it('without anything is a document, no line, or a sentence that is no data', async () => {
    const none = { ...listing, page: async () => ({ things: [], links: [] }) };
    await printList(none, { ...all, json: true });
    expect(JSON.parse(out)).toEqual({ things: [], links: [] });
    out = '';
    await printList(none, { ...all, plain: true });
    expect([out, err]).toEqual(['', '']);
    await printList(none, all);
    expect([out, err]).toEqual(['', 'There are none.\n']);
  });
});

describe('one thing', () => {
  it('is a line for each field, or its document', () => {
    const thing = { id: 'a', name: 'first' };
    printOne({ thing }, thing, columns, {});
    printOne({ thing }, thing, columns, { plain: true });
    expect(out).toBe('ID    a\nNAME  first\nID\ta\nNAME\tfirst\n');
    out = '';
    printOne({ thing }, thing, columns, { json: true });
    expect(JSON.parse(out)).toEqual({ thing });
  });

  it('has its size as a person reads it', () => {
    expect([0, 999, 1_000, 9_598_099, 5e12].map(sizeOf)).toEqual(['0 B', '999 B', '1.0 kB', '9.6 MB', '5.0 TB']);
    expect(sizeOf(null)).toBeUndefined();
  });
});
