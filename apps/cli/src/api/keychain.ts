/**
 * The keychain of the system, by the program that the system brings for it: secret-tool (libsecret) or security (macOS). The token goes to it by its
 * standard input and never as an argument, which others could read in the list of processes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { messageOf } from '@strongroom/contracts';
import { CredentialFault, type Next } from '../command-fault.js';
import { inLine } from '../output.js';

/** One token in the keychain. */
export interface KeychainEntry {
  /** A UUID, by which the file of the profiles names it. */
  id: string;
  /** Whose token it is, for the message and for whoever looks into the keychain. */
  profile: string;
}

interface Call {
  args: readonly string[];
  /** What the program reads. */
  input?: string;
}
interface Ended {
  code: unknown;
  out: string;
  err: string;
}

interface Program {
  name: string;
  /** What to do where it is not there. */
  advice: Next;
  store(entry: KeychainEntry, token: string): Call;
  find(entry: KeychainEntry): Call;
  remove(entry: KeychainEntry): Call;
  /** Whether it has ended so because it has no such token. */
  hasNone(ended: Ended): boolean;
}

const service = 'strongroom';
const inFile = 'Or keep the token in a file that only you can read: strongroom login --no-keychain';
const useFile = 'Use a file that only you can read: strongroom login --no-keychain';

const attributes = ({ id }: KeychainEntry) => ['service', service, 'id', id];
const secretTool: Program = {
  name: 'secret-tool',
  advice: 'Install it: it is in the package libsecret-tools of Debian and Ubuntu, and in libsecret of Fedora and Arch.',
  store: (entry, input) => ({
    args: ['store', '--label', `${service}-${entry.profile}`, ...attributes(entry)],
    input,
  }),
  find: (entry) => ({ args: ['lookup', ...attributes(entry)] }),
  remove: (entry) => ({ args: ['clear', ...attributes(entry)] }),
  hasNone: ({ code, err }) => code === 1 && err.trim() === '',
};

/** The longest line that `security -i` reads, in bytes. */
const longestLine = 4_000;
const named = ({ id }: KeychainEntry) => ['-s', service, '-a', id];
const security: Program = {
  name: 'security',
  advice: 'See that /usr/bin is in PATH: it is a part of macOS.',
  store(entry, token) {
    // The words of a line would have to be quoted; the digits of a number in base 16 are not.
    const digits = Buffer.from(token).toString('hex');
    const line = `add-generic-password -U ${named(entry).join(' ')} -l ${service}-${entry.profile} -X ${digits}\n`;
    if (line.length > longestLine)
      throw new CredentialFault('The token is too long for the keychain of macOS.', useFile);
    return { args: ['-i'], input: line };
  },
  find: (entry) => ({ args: ['find-generic-password', ...named(entry), '-w'] }),
  remove: (entry) => ({ args: ['delete-generic-password', ...named(entry)] }),
  hasNone: ({ code }) => code === 44,
};

export class Keychain {
  private readonly program: Program;

  constructor(
    private readonly env: NodeJS.ProcessEnv = process.env,
    platform: NodeJS.Platform = process.platform,
  ) {
    this.program = platform === 'darwin' ? security : secretTool;
  }

  /** Keeps a token in the place of the one that the entry has had. @throws {CredentialFault} when it is not there then */
  async keep(entry: KeychainEntry, token: string): Promise<void> {
    const ended = await this.run(this.program.store(entry, token));
    // A program that reads commands may end well though one of them was refused.
    if (ended.code !== 0 || (await this.find(entry)) !== token) throw this.refusal(ended);
  }

  /** @throws {CredentialFault} when it does not give the token */
  async tokenOf(entry: KeychainEntry): Promise<string> {
    const token = await this.find(entry);
    if (token !== undefined) return token;
    const { profile } = entry;
    throw new CredentialFault(
      `The keychain has no token of the profile ${profile}.`,
      `Sign in again: strongroom login --profile ${profile}`,
    );
  }

  /** Does nothing where there is none. @throws {CredentialFault} */
  async remove(entry: KeychainEntry): Promise<void> {
    const ended = await this.run(this.program.remove(entry));
    if (ended.code !== 0 && !this.program.hasNone(ended)) throw this.refusal(ended);
  }

  private async find(entry: KeychainEntry): Promise<string | undefined> {
    const ended = await this.run(this.program.find(entry));
    if (ended.code === 0) return ended.out.replace(/\n$/, '');
    if (this.program.hasNone(ended)) return undefined;
    throw this.refusal(ended);
  }

  private refusal({ code, err }: Ended): CredentialFault {
    const { name } = this.program;
    const says = inLine(err.trim()) || `it ended with ${code}`;
    return new CredentialFault(
      `The keychain can't be used. ${name} says: ${says}.`,
      `See that it runs in your session and is unlocked. ${inFile}`,
    );
  }

  private async run({ args, input = '' }: Call): Promise<Ended> {
    const { name, advice } = this.program;
    const child = spawn(name, args, { env: this.env, stdio: 'pipe' });
    // It may end without reading.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    try {
      const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      return { code, out, err };
    } catch (cause) {
      throw new CredentialFault(
        `The keychain is asked by ${name}, which is not there or can't be started (${messageOf(cause)}).`,
        `${advice} ${inFile}`,
        { cause },
      );
    }
  }
}
