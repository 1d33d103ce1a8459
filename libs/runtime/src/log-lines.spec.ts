import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from './log.js';
import { LogLines } from './log-lines.js';

function openLines() {
  const writes: string[] = [];
  const lines = new LogLines({ write: (text) => void writes.push(text) });
  const log = createLogger({ app: 'api', level: 'info', to: lines });
  const said = () => writes.map((text) => [...text.matchAll(/"msg":"(\w+)"/g)].map(([, msg]) => msg));
  return { log, lines, said };
}

describe('the lines of the log', () => {
  it('of one turn are one write, in their order', async () => {
    const { log, said } = openLines();
    log.info('one');
    log.info('two');
    expect(said()).toEqual([]);
    await turn();
    expect(said()).toEqual([['one', 'two']]);
    log.info('three');
    await turn();
    expect(said()).toEqual([['one', 'two'], ['three']]);
  });

  it.each(['warn', 'error', 'fatal'] as const)(
    'are written at once up to one of level %s, each once',
    async (level) => {
      const { log, said } = openLines();
      log.info('before');
      log.child({ of: 'child' })[level]('grave');
      expect(said()).toEqual([['before', 'grave']]);
      log.info('after');
      await turn();
      expect(said()).toEqual([['before', 'grave'], ['after']]);
    },
  );
});
