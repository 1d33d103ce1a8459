/** The options that say how a database server is reached. A password is never an option's value: others could read it in the list of processes. */
import { tlsModes } from '@strongroom/contracts';
import { type Command, Option } from 'commander';
import { UsageFault } from '../command-fault.js';
import { atLeastOne, type ChangeOptions } from './api-options.js';
import { secretIn, textIn } from './given-file.js';
import { isAtTerminal, lineTyped } from './prompt.js';

export interface ServerOptions extends ChangeOptions {
  host?: string;
  port?: number;
  user?: string;
  passwordFile?: string;
  database?: string;
  tls?: (typeof tlsModes)[number];
  caCertificate?: string;
  clientCertificate?: string;
  clientKey?: string;
}

/** @param isNew whether what has no default has to be given */
export function withServer(command: Command, { isNew }: { isNew: boolean }): Command {
  const needed = [
    new Option('--host <host>', 'the host name or the IP address of the server'),
    new Option('--port <port>', 'the port of the server').argParser(atLeastOne),
    new Option('--user <name>', 'the user that takes the backups'),
  ];
  for (const option of needed) command.addOption(option.makeOptionMandatory(isNew));
  return command
    .option('--password-file <path>', 'a file with the password of the user, or - for the standard input')
    .option('--database <name>', 'the database to connect to')
    .addOption(new Option('--tls <mode>', 'what the connection has to prove').choices(tlsModes))
    .option('--ca-certificate <path>', 'a PEM file with the authorities of the server; an empty path means none')
    .option('--client-certificate <path>', 'a PEM file that is shown to the server; an empty path means none')
    .option('--client-key <path>', 'a PEM file with the key of that certificate, without a passphrase');
}

/** What was given of a server beside where it is and who takes the backups. */
export async function credentialsIn(options: ServerOptions) {
  const { passwordFile, caCertificate, clientCertificate, clientKey } = options;
  return {
    ...(passwordFile !== undefined && { password: await secretIn(passwordFile, 'password') }),
    ...(options.database !== undefined && { database: options.database }),
    ...(options.tls !== undefined && { tls: options.tls }),
    ...(caCertificate !== undefined && { ca_certificate: await pemIn(caCertificate) }),
    ...(clientCertificate !== undefined && { client_certificate: await pemIn(clientCertificate) }),
    ...(clientKey !== undefined && { client_key: await pemIn(clientKey) }),
  };
}

/** @throws {UsageFault} where nobody can be asked */
export async function typedPassword({ input }: ServerOptions, user: string): Promise<string> {
  if (!input || !isAtTerminal())
    throw new UsageFault('There is no password, and nobody can be asked here.', 'Give it by --password-file.');
  return lineTyped(`Password of ${user}: `, { hidden: true });
}

async function pemIn(path: string): Promise<string> {
  return path === '' ? '' : textIn(path);
}
