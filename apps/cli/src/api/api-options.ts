/** The options of the commands that ask a service, spelled once. */
import { regionName, uuid } from '@strongroom/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import type { ConnectionOptions } from './connection.js';

export interface PrintOptions {
  json?: boolean;
  plain?: boolean;
}

export interface ApiOptions extends ConnectionOptions, PrintOptions {
  /** False: nobody is asked anything. */
  input: boolean;
}

export interface ListOptions extends ApiOptions {
  limit: number;
  all?: boolean;
}

export interface ChangeOptions extends ApiOptions {
  dryRun?: boolean;
}

export interface DestructiveOptions extends ChangeOptions {
  yes?: boolean;
}

const usualLimit = 100;

/** Adds where the service is. */
export function withConnection(command: Command): Command {
  return command
    .option('--profile <name>', 'the profile to use. Without it: STRONGROOM_PROFILE, else the current one')
    .option('--url <url>', 'where the service is. Without it: STRONGROOM_URL, else that of the profile')
    .option('--account <id>', 'the account. Without it: STRONGROOM_ACCOUNT, else that of the profile')
    .option(
      '--token-file <path>',
      'a file with the token, or - . Without it: STRONGROOM_TOKEN, else that of the profile',
    )
    .option('--allow-http', 'let the token pass a network in clear, to a service without https');
}

/** Adds what every command takes that asks a service. */
export function ofApi(command: Command): Command {
  return withConnection(command)
    .option('--json', 'print the documents of the API')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .option('--no-input', 'ask nobody anything');
}

export function ofList(command: Command): Command {
  return ofApi(command)
    .option('--limit <number>', 'how many at the most', atLeastOne, usualLimit)
    .option('--all', 'all of them, page by page');
}

export function ofChange(command: Command): Command {
  return ofApi(command).option('--dry-run', 'only print the request that would be sent');
}

export function ofDestruction(command: Command): Command {
  return ofChange(command).option('--yes', 'do it without being asked');
}

/** Adds the id of one thing. */
export function withId(command: Command, what: string): Command {
  return command.argument('<id>', `the id of the ${what}, a UUID`, idArgument);
}

export function idArgument(text: string): string {
  const id = uuid.safeParse(text.toLowerCase());
  if (!id.success) throw new InvalidArgumentError('It must be a UUID.');
  return id.data;
}

export function atLeastOne(text: string): number {
  if (!/^0*[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be an integer of at least 1.');
  return Number(text);
}

/** Names of regions with commas between them, in large or in small letters. An empty text names none. */
export function regionsArgument(text: string): string[] {
  const names = text.split(',').map((name) => name.trim().toUpperCase());
  const given = names.filter((name) => name !== '');
  if (!given.every((name) => regionName.safeParse(name).success))
    throw new InvalidArgumentError('It must be like IAD,ORD.');
  return given;
}

export function instantArgument(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || !/^\d{4}-\d\d-\d\d/.test(text))
    throw new InvalidArgumentError('It must be an instant, such as 2026-11-14T14:30:00Z.');
  return new Date(ms).toISOString();
}
