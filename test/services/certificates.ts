/** A certificate authority of a test's own, which signs certificates for servers and for clients. It needs no program. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certified {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8. */
  key: string;
}

export interface CertificateOptions {
  /** The common name of its subject: for a client, the role that it logs in as. */
  name: string;
  /** The names and addresses of the server. */
  hosts?: string[];
  /** Default: in a hundred days. */
  expires?: Date;
  /** Default: new ones. */
  keys?: { privateKey: KeyObject; publicKey: KeyObject };
}

const dayMs = 86_400_000;

export class CertificateAuthority {
  private constructor(
    private readonly name: string,
    private readonly keys: { privateKey: KeyObject; publicKey: KeyObject },
    /** PEM. */
    readonly certificate: string,
  ) {}

  static create(name: string): CertificateAuthority {
    const keys = newKeys();
    const isAuthority = extension([0x55, 0x1d, 0x13], sequence(tag(0x01, Buffer.from([0xff]))), true);
    const parts = { subject: name, issuer: name, publicKey: keys.publicKey, extensions: [isAuthority] };
    return new CertificateAuthority(name, keys, signed({ ...parts, signer: keys.privateKey }));
  }

  issue({ name, hosts = [], expires, keys = newKeys() }: CertificateOptions): Certified {
    const names = hosts.map((host) =>
      isIP(host) === 4 ? tag(0x87, Buffer.from(host.split('.').map(Number))) : dns(host),
    );
    const extensions = names.length > 0 ? [extension([0x55, 0x1d, 0x11], sequence(...names))] : [];
    const parts = { subject: name, issuer: this.name, publicKey: keys.publicKey, extensions };
    return {
      certificate: signed({ ...parts, signer: this.keys.privateKey, expires }),
      key: pemOfKey(keys.privateKey),
    };
  }
}

/** The same key, sealed by a passphrase. */
export function encryptedKey(key: string, passphrase: string): string {
  return String(createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }));
}

/** The same certificate with an end that is no time. Its signature is wrong then. */
export function withoutReadableEnd(certificate: string): string {
  const der = Buffer.from(certificate.replaceAll(/-----[^-]+-----/g, ''), 'base64');
  const utcTime = Buffer.from([0x17, 0x0d]);
  der.write('no such time!', der.indexOf(utcTime, der.indexOf(utcTime) + 2) + 2);
  return pem(der);
}

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pemOfKey(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

interface Parts {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  extensions: Buffer[];
  signer: KeyObject;
  expires?: Date | undefined;
}

/** RFC 5280, 4.1. */
function signed({ subject, issuer, publicKey, extensions, signer, expires }: Parts): string {
  const until = expires ?? new Date(Date.now() + 100 * dayMs);
  const from = new Date(Math.min(Date.now(), until.getTime()) - dayMs);
  const algorithm = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
  const content = sequence(
    tag(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    named(issuer),
    sequence(time(from), time(until)),
    named(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [tag(0xa3, sequence(...extensions))] : []),
  );
  const signature = tag(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', content, signer)]));
  return pem(sequence(content, algorithm, signature));
}

function pem(certificate: Buffer): string {
  const text = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n').trim();
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

function named(commonName: string): Buffer {
  return sequence(tag(0x31, sequence(oid([0x55, 0x04, 0x03]), tag(0x0c, Buffer.from(commonName)))));
}

function extension(id: number[], value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [tag(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...critical, tag(0x04, value));
}

function dns(host: string): Buffer {
  return tag(0x82, Buffer.from(host));
}

/** UTCTime, which ends in 2049. */
function time(at: Date): Buffer {
  return tag(0x17, Buffer.from(`${at.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
}

function oid(bytes: number[]): Buffer {
  return tag(0x06, Buffer.from(bytes));
}

function integer(bytes: Buffer): Buffer {
  return tag(0x02, bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return tag(0x30, Buffer.concat(parts));
}

/** A value of DER: its tag, its length, and its bytes. */
function tag(kind: number, value: Buffer): Buffer {
  const size = value.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([kind, ...length]), value]);
}
