/** The options that all commands have that restore a backup. */
import { sha256Hex } from '@strongroom/contracts';
import { allEngines } from '@strongroom/engines';
import { type Command, InvalidArgumentError } from 'commander';

export function withDigest(command: Command): Command {
  return command.option(
    '--sha256 <hex>',
    "the backup's SHA-256, which GET /backups/BACKUP_ID calls its checksum: another backup of that name is refused",
    digestArgument,
  );
}

/**
 * Adds an option for each engine whose servers have something outside of their folder.
 * @returns the places, by what it is called or by where the server had it; filled while the call is parsed
 */
export function withPlaces(command: Command): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { outside } of allEngines) {
    if (!outside) continue;
    command.option(`--${outside.name} <old=new>`, outside.help, (text: string) => {
      const [old, place] = placeArgument(text, outside.example);
      if (places.has(old)) throw new InvalidArgumentError(`--${outside.name} has ${old} twice.`);
      places.set(old, place);
    });
  }
  return places;
}

function digestArgument(text: string): string {
  const digest = sha256Hex.safeParse(text.toLowerCase());
  if (!digest.success) throw new InvalidArgumentError('It must be a SHA-256: 64 hexadecimal digits.');
  return digest.data;
}

function placeArgument(text: string, example: string): [old: string, place: string] {
  const [, old = '', place = ''] = /^((?:[^=\\]|\\.)+)=((?:[^=\\]|\\.)+)$/.exec(text) ?? [];
  if (old === '') throw new InvalidArgumentError(`It must be like ${example}.`);
  return [old.replace(/\\(.)/g, '$1'), place.replace(/\\(.)/g, '$1')];
}
