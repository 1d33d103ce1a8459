/** Certificates for a test: an authority, and what it has signed. They are made with the `openssl` of the machine. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of files in PEM, and what they hold. */
export interface Signed {
  certificateFile: string;
  keyFile: string;
  /** The key, the certificate and that of the authority in one file, as Kafka wants it. */
  storeFile: string;
}

export class TestAuthority {
  private constructor(
    private readonly folder: string,
    readonly certificateFile: string,
  ) {}

  static async make(): Promise<TestAuthority> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-certificates-'));
    const [key, certificate] = [join(folder, 'ca.key'), join(folder, 'ca.pem')];
    const subject = ['-subj', '/CN=the authority of the spec', '-days', '2'];
    await openssl(['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject]);
    return new TestAuthority(folder, certificate);
  }

  /** Signs a certificate for 127.0.0.1 and localhost. @param name one word */
  async sign(name: string): Promise<Signed> {
    const file = (end: string) => join(this.folder, `${name}.${end}`);
    const [keyFile, request, certificateFile, names, storeFile] = [
      file('key'),
      file('csr'),
      file('pem'),
      file('ext'),
      file('store'),
    ];
    await writeFile(names, 'subjectAltName=IP:127.0.0.1,DNS:localhost');
    await openssl([
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      keyFile,
      '-out',
      request,
      '-subj',
      `/CN=${name}`,
    ]);
    const by = ['-CA', this.certificateFile, '-CAkey', join(this.folder, 'ca.key'), '-CAcreateserial'];
    await openssl(['x509', '-req', '-in', request, ...by, '-out', certificateFile, '-days', '2', '-extfile', names]);
    const parts = await Promise.all(
      [keyFile, certificateFile, this.certificateFile].map((each) => readFile(each, 'utf8')),
    );
    await writeFile(storeFile, parts.join(''));
    return { certificateFile, keyFile, storeFile };
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function openssl(args: string[]): Promise<void> {
  try {
    await run('openssl', args);
  } catch (cause) {
    throw new Error('this test needs openssl to make certificates', { cause });
  }
}
