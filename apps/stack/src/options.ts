/** The options of `npm start`. Its help is `help.txt`, which `scripts/start.mjs` shows before anything is built. */
import { parseArgs } from 'node:util';
import { Fault, messageOf } from '@strongroom/contracts';

export interface StackOptions {
  demo: boolean;
  /** Undefined takes the first broker that is available. */
  broker: 'kafka' | 'embedded' | undefined;
  /** What holds the vaults. Undefined goes on with what the data have, and begins with folders. */
  vaults: 'folders' | 's3' | undefined;
  port: number;
  /** The folder of everything that outlives a start. */
  data: string;
}

/** The call is none of those that the help describes. */
export class UsageFault extends Fault<'usage-invalid'> {
  override readonly name = 'UsageFault';

  constructor(message: string) {
    super('usage-invalid', false, message);
  }
}

/** @returns the options, or undefined when help is asked for. @throws {UsageFault} */
export function parseOptions(args: string[]): StackOptions | undefined {
  const values = parsed(args);
  if (values.help) return undefined;
  const { broker, vaults, port: portText = '8779', data = '.strongroom' } = values;
  if (broker !== undefined && broker !== 'kafka' && broker !== 'embedded') {
    throw new UsageFault(`--broker is ${broker}; it can be kafka or embedded`);
  }
  if (vaults !== undefined && vaults !== 'folders' && vaults !== 's3') {
    throw new UsageFault(`--vaults is ${vaults}; it can be folders or s3`);
  }
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port < 1 || port > 65_535)
    throw new UsageFault(`--port is ${portText}; it can be 1 to 65535`);
  return { demo: !values['no-demo'], broker, vaults, port, data };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        'no-demo': { type: 'boolean' },
        broker: { type: 'string' },
        vaults: { type: 'string' },
        port: { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageFault(`${messageOf(error)}. To see the options: npm start -- --help`);
  }
}
