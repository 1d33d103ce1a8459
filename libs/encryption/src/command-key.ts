/**
 * A key that a command keeps, such as one of a KMS. The command gets `wrap` or `unwrap` and the name of the key as its arguments. It gets
 * the bytes on its standard input as padded base64, and gives others on its standard output, as base64 as well. It is run without a shell.
 */
import { spawn } from 'node:child_process';
import { altered, EncryptionFault } from './encryption-fault.js';
import type { Stanza } from './header.js';
import type { Identity, Recipient } from './keys.js';

/** What such a key is written like, wherever a key may stand: `command:/usr/local/bin/our-kms NAME`. */
export const commandPrefix = 'command:';
const stanzaType = 'strongroom.command';
const withinMs = 30_000;
const mostBytes = 65_536;
const mostOfWords = 500;
const form = /^(\/[^\s]+) ([!-~]+)$/;

export class CommandKey implements Recipient, Identity {
  readonly id: string;
  private readonly program: string;
  private readonly key: string;

  /** @param text the path of the program, and the name of the key @throws {EncryptionFault} `key-invalid` */
  constructor(
    text: string,
    readonly name?: string,
  ) {
    const [, program, key] = form.exec(text) ?? [];
    if (program === undefined || key === undefined)
      throw new EncryptionFault(
        'key-invalid',
        `"${commandPrefix}${text}" is no key of a command. It must be like ${commandPrefix}/path/of/program NAME.`,
      );
    this.program = program;
    this.key = key;
    this.id = `${commandPrefix}${key}`;
  }

  /** The same key, as people call it. */
  named(name: string): CommandKey {
    return new CommandKey(`${this.program} ${this.key}`, name);
  }

  async wrap(fileKey: Buffer): Promise<Stanza> {
    return { args: [stanzaType, encodeURIComponent(this.key)], body: await this.run('wrap', fileKey) };
  }

  async unwrap(stanzas: readonly Stanza[]): Promise<Buffer | undefined> {
    const own = stanzas.find(({ args: [type, key] }) => type === stanzaType && key === encodeURIComponent(this.key));
    return own && this.run('unwrap', own.body);
  }

  private async run(what: 'wrap' | 'unwrap', input: Buffer): Promise<Buffer> {
    const late = AbortSignal.timeout(withinMs);
    const child = spawn(this.program, [what, this.key], { stdio: 'pipe', signal: late, killSignal: 'SIGKILL' });
    let said = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.slice(0, mostBytes);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(0, mostOfWords);
    });
    // A program that needs no input may have ended by then.
    child.stdin.on('error', () => {});
    child.stdin.end(`${input.toString('base64')}\n`);
    const how = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(late.aborted ? `it took more than ${withinMs / 1_000} s` : error.message));
      child.once('close', (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? code}`));
    });
    if (how !== undefined) throw this.failed(what, `${how}. ${said.trim()}`);
    const bytes = Buffer.from(output.trim(), 'base64');
    if (bytes.length === 0)
      throw what === 'unwrap' ? altered('its key can not be unwrapped') : this.failed(what, 'it gave nothing');
    return bytes;
  }

  private failed(what: string, why: string): EncryptionFault {
    return new EncryptionFault(
      'key-command-failed',
      `${this.program} could not ${what} a key with ${this.key}: ${why}`,
      { told: `The program that keeps the key ${this.key} could not ${what} the key of a backup.` },
    );
  }
}
