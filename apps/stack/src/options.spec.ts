import { describe, expect, it } from '@jest/globals';
import { parseOptions, UsageFault } from './options.js';

describe('the options of npm start', () => {
  it('need not be given', () => {
    expect(parseOptions([])).toEqual({
      demo: true,
      broker: undefined,
      vaults: undefined,
      port: 8779,
      data: '.strongroom',
    });
  });

  it('are taken as they are given', () => {
    expect(
      parseOptions(['--no-demo', '--broker', 'kafka', '--vaults', 's3', '--port', '9000', '--data', '/x']),
    ).toEqual({
      demo: false,
      broker: 'kafka',
      vaults: 's3',
      port: 9000,
      data: '/x',
    });
  });

  it.each([
    [['--broker', 'rabbit'], '--broker is rabbit; it can be kafka or embedded'],
    [['--vaults', 'gcs'], '--vaults is gcs; it can be folders or s3'],
    [['--port', '0'], '--port is 0; it can be 1 to 65535'],
    [['--port', '65536'], '--port is 65536; it can be 1 to 65535'],
    [['--port', '1e3'], '--port is 1e3; it can be 1 to 65535'],
  ])('say what %j could have been', (args, message) => {
    expect(() => parseOptions(args)).toThrow(new UsageFault(message));
  });

  it.each(['--demo-only', 'somewhere'])(
    'are refused when they are none, as %s, and that says how to see them',
    (wrong) => {
      expect(() => parseOptions([wrong])).toThrow(UsageFault);
      expect(() => parseOptions([wrong])).toThrow(/\. To see the options: npm start -- --help$/);
    },
  );

  it('give way to a question for help', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
    expect(parseOptions(['-h'])).toBeUndefined();
  });
});
