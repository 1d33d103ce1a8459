/** Programs that behave as those of the systems' keychains do, for what a machine of tests does not have: a session with a keyring, and macOS. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shellProgram } from './kms-program.js';

/** Where the tokens are. An entry is a file, which is named for what it was stored under. */
const fileOf = `"$KEYS/$(printf '%s\\n' "$@" | sha256sum | cut -c 1-64)"`;

export class StandInKeychain {
  private readonly keys: string;
  private readonly asked: string;

  /** @param folder a folder of its own, in which the programs are made */
  constructor(readonly folder: string) {
    this.keys = join(folder, 'keys');
    this.asked = join(folder, 'asked');
    mkdirSync(this.keys, { recursive: true });
    writeFileSync(this.asked, '');
    const begin = [`KEYS='${this.keys}'`, `printf '%s\\n' "$*" >> '${this.asked}'`];
    // libsecret's program: a token that is not there ends it with 1 and without a word.
    shellProgram(
      join(folder, 'secret-tool'),
      ...begin,
      `if [ -e "$KEYS/locked" ]; then echo 'secret-tool: Cannot get secret of a locked object' >&2; exit 1; fi`,
      'what=$1; shift',
      'case "$what" in',
      `store) [ "$1" = --label ]; shift 2; cat > ${fileOf};;`,
      `lookup) [ -e ${fileOf} ] || exit 1; cat ${fileOf};;`,
      `clear) [ -e ${fileOf} ] || exit 1; rm ${fileOf};;`,
      '*) echo "usage: secret-tool store --label=\'label\' attribute value ..." >&2; exit 2;;',
      'esac',
    );
    // That of macOS: with -i it reads commands, and ends well whatever became of them.
    shellProgram(
      join(folder, 'security'),
      ...begin,
      'missing() { echo "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain." >&2; exit 44; }',
      `at() { set -- "$1" "$2" "$3" "$4"; file=${fileOf}; }`,
      'case "$1" in',
      '-i) set -f; set -- $(head -n 1); [ "$1 $2" = "add-generic-password -U" ]; shift 2',
      '    at "$1" "$2" "$3" "$4"; [ "$5" = -l ]; [ "$7" = -X ]',
      `    if [ ! -e "$KEYS/locked" ]; then printf '%b' "$(sed 's/../\\\\x&/g' <<< "$8")" > "$file"; fi;;`,
      'find-generic-password) shift; at "$1" "$2" "$3" "$4"; [ "$5" = -w ]; [ -e "$file" ] || missing; cat "$file"; echo;;',
      'delete-generic-password) shift; at "$1" "$2" "$3" "$4"; [ -e "$file" ] || missing; rm "$file";;',
      '*) echo "Usage: security [command]" >&2; exit 2;;',
      'esac',
    );
  }

  /** The programs come before those of the system. */
  get path(): string {
    return `${this.folder}:${process.env.PATH}`;
  }

  /** The words with which the programs were called, as the list of processes shows them. */
  get words(): string {
    return readFileSync(this.asked, 'utf8');
  }

  /** Has it keep nothing and give nothing, as before somebody unlocks it. */
  lock(): void {
    writeFileSync(join(this.keys, 'locked'), '');
  }

  unlock(): void {
    if (existsSync(join(this.keys, 'locked'))) rmSync(join(this.keys, 'locked'));
  }
}
