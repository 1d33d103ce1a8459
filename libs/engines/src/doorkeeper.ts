/**
 * Stands between the services and customers' servers. Whoever asks a server passes here first: the host may be dialled, not too many
 * log-ins have failed there, and what is told of a host that has never let the instance in is coarse. The engine itself lets everything
 * through, for whoever has the server to himself.
 */
import { type Endpoint, messageOf } from '@strongroom/contracts';
import type { Logger, LoginOf, LoginPlace, ServerLogins } from '@strongroom/runtime';
import { kindOfAddress, plainAddress } from '@strongroom/runtime/light';
import type { EngineTarget, EngineWithoutBackups, Login, ServerDescription, ServerTest } from './engine.js';
import { EngineFault } from './engine-fault.js';
import type { EngineFor } from './engines.js';
import type { BackupTaker } from './open-backup.js';
import type { Reach } from './reach.js';
import type { ServerHost } from './server-host.js';
import { endingWithin } from './time-limit.js';
import type { Trial } from './trial.js';
import { notReached } from './unknown-host.js';

export interface DoorkeeperParts {
  engineFor: EngineFor;
  reach: Reach;
  logins: Pick<ServerLogins, 'wasLetIn' | 'letIn' | 'take' | 'giveBack'>;
  log: Logger;
}

/** How long the name of a host may take to be looked up. */
const lookUpMs = 10_000;

export class Doorkeeper {
  constructor(private readonly parts: DoorkeeperParts) {}

  /** The engines, each with the doorkeeper before it. */
  readonly engineFor: EngineFor = (type) => {
    return new GuardedEngine(this.parts.engineFor(type), this);
  };

  /** What takes backups, with the doorkeeper before it. */
  before(taker: BackupTaker): BackupTaker {
    return {
      readByIncrementals: taker.readByIncrementals,
      backup: (target, options) => this.through(target, options.signal, (allowed) => taker.backup(allowed, options)),
    };
  }

  /** @throws {EngineFault} */
  async through<T>(
    target: EngineTarget,
    signal: AbortSignal,
    work: (target: EngineTarget) => Promise<T>,
    /** Default: none was, where there is a result. */
    wasRefused: (result: T) => boolean = () => false,
  ): Promise<T> {
    const { endpoint, instanceId } = target;
    const login = { instanceId, host: endpoint.host, port: endpoint.port, user: endpoint.user };
    const addresses = await this.addressesOf(target, signal);
    const servers = [...new Set(addresses.map(serverAt))];
    const isKnown = await this.remembered(
      'whether a server is known',
      () => this.parts.logins.wasLetIn(login, servers),
      false,
    );
    const place = await this.placeFor(target, isKnown, servers);
    let isTried = false;
    const letIn = new Map<string, Promise<void>>();
    const onLogin = (told: Login) => {
      if (told.is === 'asked') isTried = true;
      // The process that tells it reads a stranger's bytes. It was to dial these addresses and no others.
      else if (addresses.some((each) => plainAddress(each) === told.address)) {
        const server = serverAt(told.address);
        if (!letIn.has(server)) letIn.set(server, this.letIn(login, server, place));
      }
    };
    try {
      const result = await work({ ...target, addresses, isKnown, onLogin });
      isTried ||= wasRefused(result);
      return result;
    } catch (error) {
      isTried ||= isRefusal(error);
      if (!isKnown)
        this.parts.log.info({ err: error, instance: instanceId }, 'a server that never let the instance in');
      throw error;
    } finally {
      await Promise.all(letIn.values());
      // Whoever sends a password and does not wait for the answer has tried it all the same.
      if (!isTried) await this.giveBack(place);
    }
  }

  /** Whether a test was refused. What is told of it coarsely is told to the operator as it was. */
  wasRefused({ instanceId }: EngineTarget, { server, tried }: ServerTest): boolean {
    if (server) return false;
    const [fault] = tried.flatMap((step) => step.fault ?? []);
    this.parts.log.info({ err: fault, instance: instanceId }, 'a server let nobody in when its connection was tested');
    return tried.some((step) => isRefusal(step.fault));
  }

  /** It is known at once, and not when the work has ended: a backup may go on for hours after that. */
  private async letIn(login: LoginOf, server: string, place: LoginPlace): Promise<void> {
    await this.giveBack(place);
    await this.remembered('who was let in', () => this.parts.logins.letIn(login, server), undefined);
  }

  private async giveBack(place: LoginPlace): Promise<void> {
    await this.remembered('a log-in', () => this.parts.logins.giveBack(place), undefined);
  }

  private async addressesOf(target: EngineTarget, signal: AbortSignal): Promise<string[]> {
    const ending = endingWithin(lookUpMs, signal);
    try {
      return await this.parts.reach.addressesOf(target, ending);
    } catch (error) {
      signal.throwIfAborted();
      const { instanceId } = target;
      this.parts.log.info({ err: error, instance: instanceId }, 'where an instance leads is not dialled');
      throw notReached(target, error);
    }
  }

  /** An instance that was let in has a count of its own: nobody else can use that up. At a server, each account has its share. */
  private async placeFor(
    { endpoint: { host, port }, instanceId, accountId }: EngineTarget,
    isKnown: boolean,
    servers: readonly string[],
  ): Promise<LoginPlace> {
    const counted = isKnown ? [`instance ${instanceId}`] : servers.map((server) => `${server} ${port}`);
    const place = await this.remembered<LoginPlace | undefined>(
      'the log-ins that failed',
      () => this.parts.logins.take(counted, isKnown ? { isKnown } : { accountId }),
      [],
    );
    if (place) return place;
    throw new EngineFault(
      'too-many-failed-logins',
      `So many log-ins were refused at ${host}:${port} of late that none is tried now (STRONGROOM_FAILED_LOGINS). See that user and password are right; it is tried again later.`,
    );
  }

  /** While the database is away, work goes on without what it remembers. */
  private async remembered<T>(what: string, ask: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      this.parts.log.warn({ err: error }, `${what} could not be remembered: ${messageOf(error)}`);
      return otherwise;
    }
  }
}

class GuardedEngine implements EngineWithoutBackups {
  readonly datastoreType: EngineWithoutBackups['datastoreType'];
  readonly usual: EngineWithoutBackups['usual'];
  readonly versions: EngineWithoutBackups['versions'];
  readonly outside: EngineWithoutBackups['outside'];
  readonly readByIncrementals: EngineWithoutBackups['readByIncrementals'];

  constructor(
    private readonly engine: EngineWithoutBackups,
    private readonly door: Doorkeeper,
  ) {
    this.datastoreType = engine.datastoreType;
    this.usual = engine.usual;
    this.versions = engine.versions;
    this.outside = engine.outside;
    this.readByIncrementals = engine.readByIncrementals;
  }

  describe(target: EngineTarget, signal: AbortSignal): Promise<ServerDescription> {
    return this.door.through(target, signal, (allowed) => this.engine.describe(allowed, signal));
  }

  async test(target: EngineTarget, options: { withinMs: number; signal?: AbortSignal }): Promise<ServerTest> {
    const { signal = new AbortController().signal, withinMs } = options;
    const within = { withinMs, signal };
    try {
      return await this.door.through(
        target,
        endingWithin(withinMs, signal),
        (allowed) => this.engine.test(allowed, within),
        (tested) => this.door.wasRefused(target, tested),
      );
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      return withoutServer(target.endpoint, error);
    }
  }

  release(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void> {
    return this.door.through(target, signal, (allowed) => this.engine.release(allowed, backupIds, signal));
  }

  // What asks no server is handed on as it came, so that nothing of it can be left out.

  abilitiesOf(...asked: Parameters<EngineWithoutBackups['abilitiesOf']>) {
    return this.engine.abilitiesOf(...asked);
  }

  whyNoDescendant(...asked: Parameters<EngineWithoutBackups['whyNoDescendant']>): string | undefined {
    return this.engine.whyNoDescendant(...asked);
  }

  chainMarker(...asked: Parameters<EngineWithoutBackups['chainMarker']>): string {
    return this.engine.chainMarker(...asked);
  }

  describeLeftover(...asked: Parameters<EngineWithoutBackups['describeLeftover']>): string {
    return this.engine.describeLeftover(...asked);
  }

  tryOut(...asked: Parameters<EngineWithoutBackups['tryOut']>): Promise<Trial> {
    return this.engine.tryOut(...asked);
  }

  serve(...asked: Parameters<EngineWithoutBackups['serve']>): ServerHost {
    return this.engine.serve(...asked);
  }
}

/** What log-ins are counted by: one name for an address, however it is written. All of the loopback interface is one machine. */
function serverAt(address: string): string {
  return kindOfAddress(address) === 'loopback' ? '127.0.0.1' : plainAddress(address);
}

function isRefusal(error: unknown): boolean {
  return error instanceof EngineFault && error.code === 'credentials-refused';
}

function withoutServer({ host, port }: Endpoint, fault: EngineFault): ServerTest {
  const missing = [fault.message];
  return {
    server: undefined,
    full: { missing, fault },
    incremental: { missing },
    tried: [{ what: `a connection to ${host}:${port}`, fault }],
  };
}
