/**
 * Connections to a customer's server, for the replication protocol or for SQL. Each has a limit to its silence. Nothing of this
 * process's environment gets into them, and no setting of the server, the role or the database changes what we see: each is
 * set here. A password goes to the server that it is for, and nowhere else.
 */
import { isIPv4, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { plainAddress } from '@strongroom/runtime/light';
import pg from 'pg';
import { z } from 'zod';
import type { EngineTarget } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { asTold } from '../unknown-host.js';
import { dial } from './dial.js';
import { MessageGate } from './message-gate.js';
import { type AskedFor, mostIterations, mustBeSafe, mustBeWorth, unproven } from './safe-login.js';
import { faultOfServer, triedAs } from './server-fault.js';
import { parsed, violation } from './server-says.js';
import { clipped, Notices, sqlStateOf } from './server-words.js';
import { type Patience, SilenceLimit } from './silence-limit.js';
import { tlsOf } from './tls.js';

/** How long the engine waits, in milliseconds. */
export interface ServerPatience extends Patience {
  /** Until a connection is there. */
  connectMs: number;
  /** Until an answer is whole, for anything but the backup itself. */
  answerMs: number;
}

/** How much an answer may be. */
export interface AnswerLimits {
  /** The parameters of the statement. */
  values?: unknown[];
  /** Default: 1. */
  mostRows?: number;
  /** Default: 0. */
  leastRows?: number;
  /** With everything that the server says beside it. Default: 64 KiB. */
  mostBytes?: number;
  /** In milliseconds. Default: as the connection was opened. */
  withinMs?: number;
}

/** What a server says while it lets somebody in, and in answer to a small question, is much shorter. */
const usualBytes = 65_536;
/** Of no type: every value comes as text, and is parsed by our forms and not by those that the server names. */
const asText = { getTypeParser: () => (value: unknown) => value };

/** A server may let go of sessions that are idle, or keep its warnings to itself. Every role may set these for its session. */
const sessionSettings = {
  client_min_messages: 'notice',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
};

const leastMs = 100;
const leaveMs = 2_000;

export class ServerConnection {
  /** What the server says beside its answers. */
  readonly notices = new Notices();
  readonly silence: SilenceLimit;
  /** Set while the server sends a backup. */
  isSending = false;
  /** What is asked now, and how many bytes may still come in answer. */
  private asked = 'the login';
  private leftBytes = usualBytes;
  private excess: EngineFault | undefined;

  private constructor(
    readonly client: pg.Client,
    private readonly socket: Socket,
    private readonly target: Pick<EngineTarget, 'endpoint'>,
    private readonly speaks: 'replication' | 'sql',
    private readonly answerMs: number,
  ) {
    this.silence = new SilenceLimit(socket);
    // The code that waits for an answer gets the errors. At other times an error must not end the process.
    client.on('error', () => {});
    client.on('notice', ({ severity, message, detail, hint }) =>
      this.notices.add({ severity: severity ?? 'NOTICE', message: message ?? '', detail, hint }),
    );
  }

  /**
   * Connects and logs in.
   * @param options.connectMs how long that may take
   * @param options.answerMs how long an answer may take
   * @throws {EngineFault} or, when the signal ends it, its reason
   */
  static async open(
    target: EngineTarget,
    speaks: 'replication' | 'sql',
    { connectMs, answerMs, signal }: { connectMs: number; answerMs: number; signal: AbortSignal },
  ): Promise<ServerConnection> {
    const { endpoint } = target;
    const host = endpoint.host.replace(/^\[(.*)\]$/, '$1');
    const until = performance.now() + connectMs;
    const { addresses } = target;
    const lookup =
      addresses && (async () => addresses.map((address) => ({ address, family: isIPv4(address) ? 4 : 6 })));
    const dialling = { withinMs: connectMs, signal, ...(lookup && { lookup }) };
    const socket = await dial(host, endpoint.port, dialling).catch((error: unknown) => {
      throw signal.aborted ? error : asTold(faultOfServer(error, { endpoint, speaks }), target, false);
    });
    const left = Math.max(leastMs, until - performance.now());
    const client = new pg.Client(clientConfig({ target, host, speaks, socket, connectMs: left }));
    const login = guardLogin(client, target);
    const connection = new ServerConnection(client, socket, target, speaks, answerMs);
    const stop = () => connection.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      client.connection.once('sslconnect', () => connection.guard(client.connection.stream));
      const connecting = client.connect();
      if (endpoint.tls === 'disable') connection.guard(socket);
      await connecting;
      if (login.owesProof) throw unproven();
      const { remoteAddress } = socket;
      if (remoteAddress !== undefined) target.onLogin?.({ is: 'let-in', address: plainAddress(remoteAddress) });
      return connection;
    } catch (error) {
      connection.destroy();
      if (signal.aborted) throw signal.reason;
      const hasSpoken = login.isAsked || sqlStateOf(error) !== undefined;
      throw asTold(connection.faultOf(untimely(error, connectMs)), target, hasSpoken);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /**
   * Asks one thing. The rows of the answer are parsed.
   * @throws {EngineFault} `protocol-violation` when the answer is of another form, or more than it may be; `server-stalled`
   *   when it is not whole in time; errors of the server as they are
   */
  async ask<T>(text: string, row: z.ZodType<T>, limits: AnswerLimits = {}): Promise<T[]> {
    const { values, mostRows = 1, leastRows = 0, mostBytes = usualBytes, withinMs = this.answerMs } = limits;
    this.asked = text;
    this.leftBytes = mostBytes;
    this.silence.within(withinMs, unanswered);
    try {
      // A statement that is several has a result for each.
      const results: pg.QueryResult<Record<string, unknown>>[] = [
        await this.client.query<Record<string, unknown>>(text, values),
      ].flat();
      const rows = results.flatMap((result) => result.rows);
      if (rows.length > mostRows || rows.length < leastRows) {
        throw violation(`in answer to ${clipped(text.trim(), 60)} it gave ${rows.length} rows`);
      }
      return rows.map((each) => parsed(row, { ...each }, text));
    } catch (error) {
      throw this.silence.fault ?? this.excess ?? error;
    } finally {
      this.silence.lift();
    }
  }

  /** Asks for something that has no answer but that it was done. */
  async tell(text: string): Promise<void> {
    await this.ask(text, z.unknown(), { mostRows: 0 });
  }

  /** Makes room for what `pg` reads of an answer that is not asked for with `ask`. */
  allow(bytes: number, asked: string): void {
    this.asked = asked;
    this.leftBytes = bytes;
  }

  /** Takes leave of the server, which may not say goodbye. */
  async close(): Promise<void> {
    this.silence.within(leaveMs, unanswered);
    await this.client.end().catch(() => {});
    this.destroy();
  }

  /** Rejects everything that waits for an answer. */
  destroy(): void {
    this.socket.destroy();
  }

  /** What went wrong on this connection, with what was tried and what the server said before. */
  faultOf(error: unknown): EngineFault {
    const { target, speaks, notices, isSending } = this;
    return (
      this.silenceFault ??
      this.excess ??
      faultOfServer(error, { endpoint: target.endpoint, speaks, notices, isSending })
    );
  }

  /** Why a silence has closed the connection. Undefined when none has. */
  get silenceFault(): EngineFault | undefined {
    const { fault } = this.silence;
    return fault && new EngineFault(fault.code, `${fault.message} ${this.tried}`, { cause: fault });
  }

  /** How the server was spoken to, as a sentence. */
  get tried(): string {
    return triedAs({ endpoint: this.target.endpoint, speaks: this.speaks });
  }

  /**
   * Counts what `pg` reads, which keeps all of it until a message is whole. What `pg` can't read it throws out of the socket's
   * event, where nobody would catch it.
   */
  private guard(stream: Duplex): void {
    const [parser, ...others] = stream.listeners('data');
    if (!parser || others.length > 0)
      throw new Error('the installed pg reads its socket in a way that is not known here');
    const gate = new MessageGate();
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => {
      this.leftBytes -= chunk.length;
      if (this.leftBytes < 0) {
        this.excess ??= violation(`it says more in answer to ${clipped(this.asked.trim(), 60)} than any server would`);
        stream.destroy(this.excess);
        return;
      }
      try {
        const messages = gate.take(chunk);
        if (messages) parser.call(stream, messages);
      } catch (error) {
        if (error instanceof RangeError) this.excess ??= violation(`it sent ${error.message}`);
        stream.destroy(this.excess ?? (error instanceof Error ? error : new Error(String(error))));
      }
    });
  }
}

interface Wanted {
  target: EngineTarget;
  host: string;
  speaks: 'replication' | 'sql';
  socket: Socket;
  connectMs: number;
}

/**
 * Looks at each question of a login before `pg` does: these listeners are there first. What they throw ends the connection, also when a
 * server changes its mind after `pg` has been given the password.
 * @returns whether the server has asked, and whether it has not proved yet that it knows the password, as a server does that asks by
 *   SCRAM. `pg` looks at that proof when it comes, and at nothing when it does not.
 */
function guardLogin({ connection }: pg.Client, { endpoint, onLogin }: EngineTarget) {
  const login = { isAsked: false, owesProof: false };
  const asks = (asked: AskedFor) => {
    login.isAsked = true;
    mustBeSafe(endpoint, asked);
    onLogin?.({ is: 'asked' });
  };
  connection.on('authenticationCleartextPassword', () => asks({ is: 'cleartext' }));
  connection.on('authenticationMD5Password', () => asks({ is: 'md5' }));
  connection.on('authenticationSASL', (message: unknown) => {
    asks({ is: 'sasl', mechanisms: sasl.parse(message).mechanisms });
    login.owesProof = true;
  });
  connection.on('authenticationSASLContinue', (message: unknown) => {
    mustBeWorth(endpoint, scram.parse(message).data);
  });
  connection.on('authenticationSASLFinal', () => {
    login.owesProof = false;
  });
  return login;
}

const sasl = z.looseObject({ mechanisms: z.array(z.string()) });
const scram = z.looseObject({ data: z.string() });

/** Every field that `pg` would otherwise take from PG* variables or from ~/.pgpass is given. */
function clientConfig({ target, host, speaks, socket, connectMs }: Wanted): pg.ClientConfig & Record<string, unknown> {
  const { port, user, database } = target.endpoint;
  // `pg` connects the socket itself. This one is connected already.
  socket.connect = () => {
    process.nextTick(() => socket.emit('connect'));
    return socket;
  };
  return {
    host,
    port,
    user,
    database,
    // As a function: an empty password would be replaced by PGPASSWORD or by one of ~/.pgpass.
    password: () => target.password,
    enableChannelBinding: target.endpoint.tls !== 'disable',
    scramMaxIterations: mostIterations,
    ssl: tlsOf(target, host),
    sslnegotiation: 'postgres',
    application_name: 'strongroom',
    client_encoding: 'UTF8',
    replication: speaks === 'replication' ? 'true' : 'false',
    options: Object.entries(sessionSettings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    stream: () => socket,
    types: asText,
  };
}

/** Says what was waited for, where `pg` says "timeout expired". */
function untimely(error: unknown, connectMs: number): unknown {
  if (!(error instanceof Error) || error.message !== 'timeout expired') return error;
  return new Error(`it took the connection, and did not let it in within ${connectMs / 1_000} s`, { cause: error });
}

export function unanswered(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server did not answer for ${seconds} s. See whether the server or the network hangs.`,
  );
}

export function cancelled(cause?: unknown): EngineFault {
  return new EngineFault('cancelled', 'The backup was cancelled.', { cause });
}
