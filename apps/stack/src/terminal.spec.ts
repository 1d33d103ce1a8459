import { describe, expect, it } from '@jest/globals';
import { Board } from './board.js';
import { Terminal } from './terminal.js';

/** A screen that shows what a terminal would: what is drawn over is gone. */
class PaperScreen {
  lines: string[] = [''];
  constructor(
    readonly isTTY: boolean,
    readonly columns = 80,
  ) {}

  write(text: string): void {
    for (const [index, line] of text.split('\n').entries()) {
      if (index > 0) this.lines.push('');
      const up = /^.\[(\d+)A.\[J/.exec(line);
      if (up) {
        this.lines.length -= Number(up[1]);
        this.lines[this.lines.length - 1] = '';
      }
      this.lines[this.lines.length - 1] += line.slice(up?.[0].length ?? 0);
    }
  }

  get shown(): string[] {
    return this.lines.slice(0, -1);
  }
}

describe('the terminal', () => {
  it('draws over what is still going on, and says things above it', () => {
    const screen = new PaperScreen(true);
    const terminal = new Terminal(screen, false);
    terminal.draw(['a: 1 %', 'b: 1 %']);
    terminal.draw(['a: 2 %', 'b: 1 %']);
    terminal.say('something happened');
    expect(screen.shown).toEqual(['something happened', 'a: 2 %', 'b: 1 %']);
    terminal.settle();
    terminal.draw(['c: 1 %']);
    expect(screen.shown).toEqual(['something happened', 'a: 2 %', 'b: 1 %', 'c: 1 %']);
  });

  it('never draws a line that would break, whatever its styles', () => {
    const screen = new PaperScreen(true, 12);
    const terminal = new Terminal(screen, true);
    terminal.draw([`${terminal.green('twelve')} ${terminal.red('and more')}`]);
    expect(screen.shown).toEqual(['\u001b[32mtwelve\u001b[0m \u001b[31mand\u001b[0m…']);
  });

  it('where it is none, a line is written once it says something new', () => {
    const screen = new PaperScreen(false);
    const terminal = new Terminal(screen, false);
    terminal.draw(['a: 1 %', 'b: 1 %']);
    terminal.draw(['a: 1 %', 'b: 2 %']);
    terminal.draw(['a: 1 %', 'b: 2 %']);
    expect(screen.shown).toEqual(['a: 1 %', 'b: 1 %', 'b: 2 %']);
  });
});

describe('the board of what starts', () => {
  it('keeps its rows in order while they begin and end in any', () => {
    const screen = new PaperScreen(true);
    const board = new Board(new Terminal(screen, false), ['PostgreSQL', 'Broker', 'API']);
    const broker = board.begin('Broker');
    board.begin('PostgreSQL').done('at 127.0.0.1:1');
    broker.noted('none: events go through PostgreSQL');
    board.end();
    expect(screen.shown[0]).toMatch(/^ {2}✓ PostgreSQL {7}at 127\.0\.0\.1:1 +0\.\d s$/);
    expect(screen.shown[1]).toMatch(/^ {2}! Broker {11}none: events go through PostgreSQL +0\.\d s$/);
    expect(screen.shown[2]).toBe('  · API');
  });

  it('marks what was still starting when the start came to an end', () => {
    const screen = new PaperScreen(true);
    const board = new Board(new Terminal(screen, false), ['PostgreSQL']);
    board.begin('PostgreSQL').doing('recovering …');
    board.end();
    expect(screen.shown).toEqual(['  ✗ PostgreSQL       recovering …']);
  });
});
