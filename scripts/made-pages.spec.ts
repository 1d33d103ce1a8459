import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { eventSchemas } from '@strongroom/contracts';
import { openApiDocument } from '../apps/api/src/service/open-api.js';
import { apiPage } from './api-page.js';
import { decisionsPage } from './decisions-page.js';
import { eventsPage, meaningsIn, sourceOfEvents } from './events-page.js';
import { fieldsTable } from './fields-table.js';

const root = join(__dirname, '..');
const textOf = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('the pages that `npm run docs` writes', () => {
  it('have the API as its document has it', () => {
    expect(textOf('docs', 'api.md')).toBe(apiPage(openApiDocument()));
  });

  it('have the events as their schemas have them, each with what it means', () => {
    const source = sourceOfEvents(root);
    expect(textOf('docs', 'events.md')).toBe(eventsPage(source));
    const meanings = meaningsIn(source);
    expect(Object.keys(eventSchemas).filter((type) => !meanings.get(type))).toEqual([]);
  });

  it('list every decision', () => {
    const files = readdirSync(join(root, 'docs', 'decisions')).filter((file) => /^\d/.test(file));
    const pages = new Map(files.map((file) => [file, textOf('docs', 'decisions', file)]));
    expect(textOf('docs', 'decisions', 'README.md')).toBe(decisionsPage(pages));
  });

  it('refuse a decision without its number', () => {
    expect(() => decisionsPage(new Map([['0001-a.md', '# A title']]))).toThrow('0001-a.md');
  });
});

describe('a table of fields', () => {
  it('has the fields within fields, in lists, and in each of several forms', () => {
    const schema = {
      type: 'object',
      required: ['a'],
      properties: {
        a: { type: 'object', properties: { b: { type: 'integer', minimum: 1, maximum: 5 } } },
        c: {
          type: 'array',
          items: { anyOf: [{ type: 'object', properties: { d: { const: 'x' } } }, { type: 'null' }] },
        },
      },
    };
    expect(fieldsTable(schema).split('\n').slice(2)).toEqual([
      '| `a` | object | always |',
      '| `a.b` | integer, 1 to 5 |  |',
      '| `c` | a list of: object or null |  |',
      '| `c[].d` | `"x"` |  |',
    ]);
  });
});
