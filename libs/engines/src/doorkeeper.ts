/**
 * Stands between the services and customers' servers. Whoever asks a server passes here first: the host may be dialled, not too many
 * log-ins have failed there, and what is told of a host that has never let the instance in is coarse. The engine itself lets everything
 * through, for whoever has the server to himself.
 */
import { type DatastoreType, type Endpoint, messageOf } from '@strongroom/contracts';
import type { Logger, LoginPlace, ServerLogins } from '@strongroom/runtime';
import {
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineTarget,
  type RestoredFolder,
  type ServerDescription,
  type ServerTest,
} from './engine.js';
import { EngineFault } from './engine-fault.js';
import type { EngineFor } from './engines.js';
import type { Reach } from './reach.js';
import type { ServerHost } from './server-host.js';
import { endingWithin } from './time-limit.js';
import type { Trial } from './trial.js';
import { notReached } from './unknown-host.js';

export interface DoorkeeperParts {
  engineFor: EngineFor;
  /** What takes backups. Default: the engine, in this process. */
  takerFor?: (type: DatastoreType) => Pick<Engine, 'backup'>;
  reach: Reach;
  logins: Pick<ServerLogins, 'wasLetIn' | 'letIn' | 'take' | 'giveBack'>;
  log: Logger;
}

type LoginOutcome = 'let-in' | 'refused' | 'neither';

/** How long the name of a host may take to be looked up. */
const lookUpMs = 10_000;

export class Doorkeeper {
  constructor(private readonly parts: DoorkeeperParts) {}

  /** The engines, each with the doorkeeper before it. */
  readonly engineFor: EngineFor = (type) => {
    const engine = this.parts.engineFor(type);
    return new GuardedEngine(engine, this.parts.takerFor?.(type) ?? engine, this);
  };

  /** @throws {EngineFault} */
  async through<T>(
    target: EngineTarget,
    signal: AbortSignal,
    work: (target: EngineTarget) => Promise<T>,
    becameOf: (result: T) => LoginOutcome = () => 'let-in',
  ): Promise<T> {
    const { endpoint, instanceId } = target;
    const login = { instanceId, host: endpoint.host, port: endpoint.port, user: endpoint.user };
    const isKnown = await this.remembered('whether a server is known', () => this.parts.logins.wasLetIn(login), false);
    const addresses = await this.addressesOf({ ...target, isKnown }, signal);
    const place = await this.placeFor(target, isKnown, addresses);
    let became: LoginOutcome = 'neither';
    try {
      const result = await work({ ...target, addresses, isKnown });
      became = becameOf(result);
      return result;
    } catch (error) {
      if (isRefusal(error)) became = 'refused';
      if (!isKnown)
        this.parts.log.info({ err: error, instance: instanceId }, 'a server that never let the instance in');
      throw error;
    } finally {
      if (became !== 'refused') await this.remembered('a log-in', () => this.parts.logins.giveBack(place), undefined);
      if (became === 'let-in') await this.remembered('who was let in', () => this.parts.logins.letIn(login), undefined);
    }
  }

  /** What became of the log-ins of a test. What is told coarsely is told to the operator as it was. */
  outcomeOf({ instanceId }: EngineTarget, { server, tried }: ServerTest): LoginOutcome {
    if (server) return 'let-in';
    const [fault] = tried.flatMap((step) => step.fault ?? []);
    this.parts.log.info({ err: fault, instance: instanceId }, 'a server let nobody in when its connection was tested');
    return tried.some((step) => isRefusal(step.fault)) ? 'refused' : 'neither';
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

  /** An instance that was let in has a count of its own: nobody else can use that up. */
  private async placeFor(
    { endpoint: { host, port }, instanceId }: EngineTarget,
    isKnown: boolean,
    addresses: readonly string[],
  ): Promise<LoginPlace> {
    const servers = isKnown ? [`instance ${instanceId}`] : addresses.map((address) => `${address} ${port}`);
    const place = await this.remembered<LoginPlace | undefined>(
      'the log-ins that failed',
      () => this.parts.logins.take(servers),
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

class GuardedEngine extends Engine {
  readonly datastoreType: Engine['datastoreType'];
  readonly usual: Engine['usual'];
  readonly versions: Engine['versions'];
  readonly outside: Engine['outside'];

  constructor(
    private readonly engine: Engine,
    private readonly taker: Pick<Engine, 'backup'>,
    private readonly door: Doorkeeper,
  ) {
    super();
    this.datastoreType = engine.datastoreType;
    this.usual = engine.usual;
    this.versions = engine.versions;
    this.outside = engine.outside;
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
        (tested) => this.door.outcomeOf(target, tested),
      );
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      return withoutServer(target.endpoint, error);
    }
  }

  backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup> {
    return this.door.through(target, options.signal, (allowed) => this.taker.backup(allowed, options));
  }

  release(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void> {
    return this.door.through(target, signal, (allowed) => this.engine.release(allowed, backupIds, signal));
  }

  // What asks no server is handed on as it came, so that nothing of it can be left out.

  abilitiesOf(...asked: Parameters<Engine['abilitiesOf']>) {
    return this.engine.abilitiesOf(...asked);
  }

  whyNoDescendant(...asked: Parameters<Engine['whyNoDescendant']>): string | undefined {
    return this.engine.whyNoDescendant(...asked);
  }

  chainMarker(...asked: Parameters<Engine['chainMarker']>): string {
    return this.engine.chainMarker(...asked);
  }

  describeLeftover(...asked: Parameters<Engine['describeLeftover']>): string {
    return this.engine.describeLeftover(...asked);
  }

  restore(...asked: Parameters<Engine['restore']>): Promise<RestoredFolder> {
    return this.engine.restore(...asked);
  }

  tryOut(...asked: Parameters<Engine['tryOut']>): Promise<Trial> {
    return this.engine.tryOut(...asked);
  }

  serve(...asked: Parameters<Engine['serve']>): ServerHost {
    return this.engine.serve(...asked);
  }
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
