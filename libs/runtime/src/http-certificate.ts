/**
 * The certificate that a service shows to its clients. When it lies in files they are read again, so that a renewed one counts without
 * a start. What is not whole or does not belong together is left alone until it does: somebody may be writing it.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import { messageOf } from '@strongroom/contracts';
import type { HttpTls } from './config.js';
import type { Logger } from './log.js';

const lookMs = 5_000;
/** A year, in seconds: for so long a browser that was here asks by HTTPS alone. */
export const strictTransport = 'max-age=31536000';

export class HttpCertificate {
  private shown: Pick<HttpTls, 'certificate' | 'key'>;
  private timer: NodeJS.Timeout | undefined;
  private told: string | undefined;

  constructor(
    private readonly tls: HttpTls,
    private readonly log: Logger,
  ) {
    this.shown = tls;
  }

  /** What Node's server takes. */
  get options() {
    const { certificate: cert, key } = this.shown;
    return { cert, key, minVersion: 'TLSv1.2' as const, handshakeTimeout: 10_000 };
  }

  /** Looks into the files from time to time, until `stop`. */
  follow(server: Pick<Server, 'setSecureContext'>, everyMs = lookMs): void {
    if (this.tls.certificateFile === undefined && this.tls.keyFile === undefined) return;
    this.timer = setInterval(() => void this.look(server), everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(server: Pick<Server, 'setSecureContext'>): Promise<void> {
    try {
      const certificate = await contentOf(this.tls.certificateFile, this.tls.certificate);
      const key = await contentOf(this.tls.keyFile, this.tls.key);
      if (certificate === this.shown.certificate && key === this.shown.key) return;
      if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
        throw new Error('the key is not that of the certificate');
      }
      createSecureContext({ cert: certificate, key });
      this.shown = { certificate, key };
      server.setSecureContext(this.options);
      this.told = undefined;
      this.log.info({ until: new X509Certificate(certificate).validTo }, 'another certificate is shown to clients');
    } catch (error) {
      const why = messageOf(error);
      if (why !== this.told) {
        this.log.warn(`the certificate of clients stays as it is, because its files can't be used: ${why}`);
      }
      this.told = why;
    }
  }
}

async function contentOf(file: string | undefined, given: string): Promise<string> {
  return file === undefined ? given : (await readFile(file, 'utf8')).trim();
}
