/** Options that the commands share that restore a backup. */
import { sha256Hex } from '@strongroom/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageFault } from './vault-options.js';

export function withDigest(command: Command): Command {
  return command.option(
    '--sha256 <hex>',
    "the backup's SHA-256, which GET /backups/BACKUP_ID calls its checksum: another backup of that name is refused",
    digestArgument,
  );
}

export function withTablespaces(command: Command): Command {
  return command.option(
    '--tablespace <old=new>',
    'where a tablespace goes, by its oid or by where the server had it; may be given more than once. Without it: TO.tablespaces/OID. A = in a path is written \\=',
    collectTablespace,
    [],
  );
}

/** @throws {UsageFault} when one is given twice */
export function tablespacesOf(given: readonly [string, string][]): Map<string, string> {
  const places = new Map<string, string>();
  for (const [old, place] of given) {
    if (places.has(old)) throw new UsageFault(`--tablespace has ${old} twice.`);
    places.set(old, place);
  }
  return places;
}

function digestArgument(text: string): string {
  const digest = sha256Hex.safeParse(text.toLowerCase());
  if (!digest.success) throw new InvalidArgumentError('It must be a SHA-256: 64 hexadecimal digits.');
  return digest.data;
}

function collectTablespace(text: string, before: [string, string][]): [string, string][] {
  const [, old = '', place = ''] = /^((?:[^=\\]|\\.)+)=((?:[^=\\]|\\.)+)$/.exec(text) ?? [];
  if (old === '') throw new InvalidArgumentError('It must be like 16413=/fast/restored or /fast/data=/fast/restored.');
  return [...before, [old.replace(/\\(.)/g, '$1'), place.replace(/\\(.)/g, '$1')]];
}
