/**
 * The sessions of the console. A session is the token of whoever has signed in, sealed in a cookie: the service keeps nothing of it, and each
 * request asks anew whose the token is. docs/decisions/0211-a-session-is-a-sealed-token.md tells why.
 *
 * A browser sends a cookie whoever has made the page that asks. So it counts for pages of this origin alone.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Clock, type ConfigOf, configToken, type KeyRing, keyRingOf, type SecretKey } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpFault } from './http-fault.js';

/** A session lasts no longer, whatever its token does. */
export const longestSessionMs = 8 * 3_600_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** The session whose cookie counts for the request. */
    session: Session | undefined;
  }
}

export interface Session {
  token: string;
  /** In milliseconds since 1970. */
  untilMs: number;
}

/** Browsers keep no cookie of more bytes, its name among them. */
const mostCookieBytes = 4_096;
const algorithm = 'aes-256-gcm';
const idBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
/** The layout is version, id of the key, nonce, tag, ciphertext. The first two are bound to the rest. */
const version = 1;
const sealed = z.strictObject({ token: z.string().min(1), untilMs: z.int() });

export class Sessions {
  private readonly ring: KeyRing;
  private readonly publicOrigin: string | undefined;

  constructor(
    @Inject(configToken) config: ConfigOf['api'],
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.ring = keyRingOf(config);
    this.publicOrigin = config.publicUrl === undefined ? undefined : new URL(config.publicUrl).origin;
  }

  /**
   * A new session, and the cookie that carries it.
   * @throws {HttpFault} badRequest when the token is longer than what browsers keep
   */
  begin(request: FastifyRequest, token: string): { untilMs: number; cookie: string } {
    const session = { token, untilMs: this.clock.now().getTime() + longestSessionMs };
    const cookie = `${nameFor(request)}=${this.seal(session)}`;
    if (Buffer.byteLength(cookie) > mostCookieBytes) {
      throw new HttpFault('badRequest', 'The token is too long for a session: browsers keep no cookie of its size.');
    }
    return {
      untilMs: session.untilMs,
      cookie: `${cookie}; ${attributesFor(request)}; Max-Age=${longestSessionMs / 1_000}`,
    };
  }

  /** The cookie with which a browser forgets the session. */
  end(request: FastifyRequest): string {
    return `${nameFor(request)}=; ${attributesFor(request)}; Max-Age=0`;
  }

  /**
   * The session in the cookie of a request; undefined when there is none that is whole and not over.
   * @throws {HttpFault} forbidden, when there is one and a page of another origin may have sent it
   */
  of(request: FastifyRequest): Session | undefined {
    const session = this.opened(cookieOf(request, nameFor(request)));
    if (!session || session.untilMs <= this.clock.now().getTime()) return undefined;
    this.mustBeOwn(request);
    return session;
  }

  /**
   * Refuses what a page of another origin sends. Whoever changes something has to show where it comes from; browsers do so by themselves.
   * @throws {HttpFault} forbidden
   */
  mustBeOwn(request: FastifyRequest): void {
    const { origin, 'sec-fetch-site': site } = request.headers;
    const isSafe = request.method === 'GET' || request.method === 'HEAD';
    const isOwnOrigin = origin === undefined ? undefined : this.originsFor(request).includes(origin.toLowerCase());
    // `none` is what a person has opened, as from a bookmark.
    const isOwnSite = site === undefined ? undefined : site === 'same-origin' || (isSafe && site === 'none');
    const isForeign = isOwnOrigin === false || isOwnSite === false;
    const isShown = isSafe || isOwnOrigin === true || isOwnSite === true;
    if (!isForeign && isShown) return;
    const message =
      'A session counts only for pages of this origin. Behind a proxy that changes the Host, set STRONGROOM_PUBLIC_URL.';
    throw new HttpFault('forbidden', message, {}, undefined, { because: 'unauthorized' });
  }

  /** The origins that are this service for the request. A session is sent over TLS, or stays on this machine. */
  private originsFor({ headers: { host = '' } }: FastifyRequest): string[] {
    const name = host.toLowerCase();
    return [
      `https://${name}`,
      ...(isLoopback(name) ? [`http://${name}`] : []),
      ...(this.publicOrigin === undefined ? [] : [this.publicOrigin]),
    ];
  }

  private seal(session: Session): string {
    const key = this.ring.newest;
    const begin = Buffer.concat([Buffer.from([version]), Buffer.from(key.id, 'hex')]);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, keyOf(key), nonce).setAAD(begin);
    const text = Buffer.concat([cipher.update(JSON.stringify(session), 'utf8'), cipher.final()]);
    return Buffer.concat([begin, nonce, cipher.getAuthTag(), text]).toString('base64url');
  }

  private opened(text: string | undefined): Session | undefined {
    if (text === undefined || !/^[\w-]+$/.test(text)) return undefined;
    const bytes = Buffer.from(text, 'base64url');
    const nonceAt = 1 + idBytes;
    const tagAt = nonceAt + nonceBytes;
    const textAt = tagAt + tagBytes;
    if (bytes[0] !== version || bytes.length <= textAt) return undefined;
    const key = this.ring.find(bytes.subarray(1, nonceAt).toString('hex'));
    if (!key) return undefined;
    try {
      const decipher = createDecipheriv(algorithm, keyOf(key), bytes.subarray(nonceAt, tagAt), {
        authTagLength: tagBytes,
      })
        .setAAD(bytes.subarray(0, nonceAt))
        .setAuthTag(bytes.subarray(tagAt, textAt));
      const opened = Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]);
      return sealed.parse(JSON.parse(opened.toString('utf8')));
    } catch {
      return undefined;
    }
  }
}

/** The token of a request: the one in its header, or the one of its session until that ends. */
export function tokenOf({ headers, session }: Pick<FastifyRequest, 'headers' | 'session'>): string | undefined {
  const { 'x-auth-token': sent } = headers;
  if (typeof sent === 'string') return sent;
  return session && Date.now() < session.untilMs ? session.token : undefined;
}

/** Each use of a key of the ring has a key of its own, which is made from it. */
function keyOf({ bytes }: SecretKey): Buffer {
  return Buffer.from(hkdfSync('sha256', bytes, '', 'strongroom console sessions', 32));
}

/** Only a response over TLS can set a cookie whose name begins so: no other host and no page in clear can put one in its place. */
function nameFor({ headers: { host = '' } }: FastifyRequest): string {
  return isLoopback(host.toLowerCase()) ? 'strongroom-session' : '__Host-strongroom-session';
}

function attributesFor({ headers: { host = '' }, protocol }: FastifyRequest): string {
  const isInClear = isLoopback(host.toLowerCase()) && protocol === 'http';
  return `Path=/; HttpOnly; SameSite=Strict${isInClear ? '' : '; Secure'}`;
}

function isLoopback(host: string): boolean {
  return /^(localhost|[\w.-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}

/** The first cookie of that name. Browsers send the one with the longest path first, and ours has the shortest: it is the only one. */
function cookieOf({ headers: { cookie = '' } }: FastifyRequest, name: string): string | undefined {
  const found = cookie
    .split(';')
    .map((each) => each.trim())
    .find((each) => each.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}
