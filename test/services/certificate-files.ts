/** The certificates of a test's own authority as files, for programs that read nothing else. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from './certificates.js';

/** Paths of files in PEM. */
export interface CertifiedFiles {
  certificateFile: string;
  keyFile: string;
  /** The key, the certificate and that of the authority in one file, as Kafka wants it. */
  storeFile: string;
}

export class CertificateFiles {
  private constructor(
    private readonly authority: CertificateAuthority,
    private readonly folder: string,
    /** The certificate of the authority. */
    readonly certificateFile: string,
  ) {}

  static async make(): Promise<CertificateFiles> {
    const authority = CertificateAuthority.create('the authority of the spec');
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-certificates-'));
    const certificateFile = join(folder, 'ca.pem');
    await writeFile(certificateFile, authority.certificate);
    return new CertificateFiles(authority, folder, certificateFile);
  }

  /** Issues a certificate for 127.0.0.1 and localhost. @param name one word */
  async issue(name: string): Promise<CertifiedFiles> {
    const { certificate, key } = this.authority.issue({ name, hosts: ['127.0.0.1', 'localhost'] });
    const file = (end: string) => join(this.folder, `${name}.${end}`);
    const [certificateFile, keyFile, storeFile] = [file('pem'), file('key'), file('store')];
    await writeFile(certificateFile, certificate);
    await writeFile(keyFile, key);
    await writeFile(storeFile, key + certificate + this.authority.certificate);
    return { certificateFile, keyFile, storeFile };
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
