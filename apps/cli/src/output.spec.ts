import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { inLine, note, say, sayJson } from './output.js';

/** The one file that prints. */
const printing = 'output.ts';

describe('what the commands print', () => {
  let printed = '';
  beforeEach(() => {
    printed = '';
    for (const stream of [process.stdout, process.stderr]) {
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        printed += String(text);
        return true;
      });
    }
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('moves no cursor, and turns no text around, whatever a stranger has said', () => {
    const said = 'a\u001b[2J\u009bb\u202ec\rd\0';
    say(said);
    note(said);
    sayJson({ [said]: said }, 2);
    expect(printed.split('\n')[0]).toBe('a\ufffd[2J\ufffdb\ufffdc\ufffdd\ufffd');
    expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(inLine('a\nb\tc\u001b')).toBe('a b c\ufffd');
  });

  it('goes this way everywhere', () => {
    const names = readdirSync(__dirname, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /(?<!spec)\.ts$/.test(name) && name !== printing,
    );
    const past = names.filter((name) =>
      /std(out|err)\.write|console\./.test(readFileSync(join(__dirname, name), 'utf8')),
    );
    expect(names.length).toBeGreaterThan(10);
    expect(past).toEqual([]);
  });
});
