import { describe, expect, it } from '@jest/globals';
import { createLogger } from './log.js';
import { LogLines } from './log-lines.js';

function openLines() {
  const writes: string[] = [];
  const waiting: (() => void)[] = [];
  const lines = new LogLines({ write: (text) => void writes.push(text) }, (flush) => void waiting.push(flush));
  /** Lets the time pass after which lines are written. */
  const pass = () => {
    for (const flush of waiting.splice(0)) flush();
  };
  const log = createLogger({ app: 'api', level: 'info', to: lines });
  const said = () => writes.map((text) => [...text.matchAll(/"msg":"(\w+)"/g)].map(([, msg]) => msg));
  return { log, lines, said, pass };
}

describe('the lines of the log', () => {
  it('of a short while are one write, in their order', () => {
    const { log, said, pass } = openLines();
    log.info('one');
    log.info('two');
    expect(said()).toEqual([]);
    pass();
    expect(said()).toEqual([['one', 'two']]);
    log.info('three');
    pass();
    expect(said()).toEqual([['one', 'two'], ['three']]);
  });

  it.each(['warn', 'error', 'fatal'] as const)('are written at once up to one of level %s, each once', (level) => {
    const { log, said, pass } = openLines();
    log.info('before');
    log.child({ of: 'child' })[level]('grave');
    expect(said()).toEqual([['before', 'grave']]);
    log.info('after');
    pass();
    expect(said()).toEqual([['before', 'grave'], ['after']]);
  });
});
