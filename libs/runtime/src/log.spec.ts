import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createLogger, currentContext, type LogContext, NestLog, runInContext } from './log.js';

const line = z.record(z.string(), z.unknown());

function openLog() {
  const lines: string[] = [];
  const log = createLogger({ app: 'api', level: 'info', to: { write: (text) => lines.push(text) } });
  return { log, lines, read: () => lines.map((text) => line.parse(JSON.parse(text))) };
}

describe('the log', () => {
  it('is one JSON line a message, with the app, the process and the time', () => {
    const { log, read } = openLog();
    log.info({ backup: 'b1' }, 'backup completed');
    expect(read()).toEqual([
      { level: 'info', time: expect.any(String), app: 'api', pid: process.pid, backup: 'b1', msg: 'backup completed' },
    ]);
  });

  it('says in each line which request it follows from, however deep the work goes', async () => {
    const { log, read } = openLog();
    const work = async (context: LogContext) =>
      runInContext(context, async () => {
        await turn();
        log.info('at work');
        return currentContext()?.requestId;
      });
    const ids = await Promise.all([
      work({ requestId: 'r1', correlationId: 'c1' }),
      work({ requestId: 'r2', correlationId: 'c1', actor: 'ada' }),
    ]);
    log.info('outside');
    expect(ids).toEqual(['r1', 'r2']);
    expect(read()).toMatchObject([{ requestId: 'r1', correlationId: 'c1' }, { requestId: 'r2', actor: 'ada' }, {}]);
    expect(read()[2]).not.toHaveProperty('requestId');
  });

  it('never has a password, token or key in it', () => {
    const { log, lines } = openLog();
    const secret = 'hush';
    const endpoint = { host: 'h', password: secret };
    log.info(
      { password: secret, target: { endpoint }, headers: { 'x-auth-token': secret, authorization: secret } },
      'a',
    );
    log
      .child({ token: secret, config: { databaseUrl: secret, secretKey: secret } })
      .warn({ instance: { secret } }, 'b');
    log.error({ err: Object.assign(new Error('no'), { password: secret }) }, 'c');
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain(secret);
  });

  it('has what the framework says: its errors as errors, its other messages for developers only', () => {
    const { log, read } = openLog();
    const nest = new NestLog(log);
    nest.log('Nest application successfully started', 'NestApplication');
    nest.error(new Error('no such table'), undefined, 'ExceptionsHandler');
    expect(read()).toMatchObject([
      { level: 'error', nest: 'ExceptionsHandler', msg: 'no such table', err: { message: 'no such table' } },
    ]);
  });
});
